"""One run of a sweep: `lap replay`'s own code, without journal and page; a shell, for it loads a strategy by name."""

from collections.abc import Sequence
from pathlib import Path

from bus.messages import StopReason, StrategyFailed
from services.replay.columnar.quiet import spelled_out
from services.replay.script import Script
from services.replay.staging import memory_of, set_stage
from services.report.run import End, Run
from services.report.said import facts_said


def play(script: Script, cwd: Path) -> tuple[Run, Sequence[StrategyFailed]]:
    """Play a script in memory; return what its report would be made of, and on what the strategy failed.

    Args:
        script: what to play; its settings count.
        cwd: where a strategy of one's own is looked for.

    Raises:
        ReplayError: the strategy or the settings do not fit, or the data break off.
    """
    with memory_of(script):
        staged = set_stage(script, cwd)
        broker, stage, _ = staged
        said = [one for part in staged.play(script.events) for one in part]
        stage.finish(StopReason.END_OF_DATA)
    facts = facts_said(spelled_out([*said, *stage.take_said()]), broker.snapshot())
    reason = broker.closed or StopReason.INTERNAL_ERROR
    run = Run(
        run_id=script.name,
        seed=script.settings["seed"],
        started_at="",
        settings=script.settings,
        origins={},
        facts=facts,
        end=End(reason, "", "replay", facts.last_ts),
    )
    return run, stage.failures
