"""Twenty thousand mangled frames and answers give results or named refusals, and never a stream that breaks a law."""

from frame_fuzz import Fuzz, originals, variant


def test_mangled_frames_give_results_or_named_refusals() -> None:
    fuzz = Fuzz()
    fuzz.work(range(20_000))
    counts = fuzz.counts
    assert counts["frames"] == counts["answers"] == 20_000
    # It would prove little if hardly anything came through, or hardly anything was refused.
    assert counts["events"] > 500
    assert counts["bridges"] > 50
    assert counts["complete candles"] > 40
    assert all(counts[name] > 5 for name in ("not_json", "unreadable", "bad_shape", "jump", "other_symbol"))


def test_a_variant_can_be_looked_at_again() -> None:
    assert variant(12_345, originals()) == variant(12_345, originals())
    assert variant(12_345, originals()) != variant(12_346, originals())
