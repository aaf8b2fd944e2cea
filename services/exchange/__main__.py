"""`python -m services.exchange`: the simulated exchange as a service of a demo session."""

import asyncio

from bus.messages import Level
from services.exchange.config import ExchangeConfig, ExchangeError
from services.exchange.server_ws import serve
from services.runner import ConfigError, Runner, Serve, main
from services.session.state import Session


def compose(runner: Runner, session: Session) -> Serve:
    """Build the exchange: its loop is asyncio's, in which the runner turns a few times a second.

    Raises:
        ConfigError: the simulated exchange has no market for such settings.
    """
    try:
        config = ExchangeConfig.from_settings(
            session.settings,
            seed=session.seed,
            port=session.ports["exchange_api"],
            started_boot_ms=session.started_boot_ms,
        )
    except ExchangeError as error:
        raise ConfigError(str(error)) from None

    async def run() -> None:
        stop = asyncio.Event()

        def on_turn() -> None:
            if runner.step() is not None:
                stop.set()

        runner.ready = True
        await serve(config, stop, on_turn, lambda line: runner.notice(Level.INFO, "exchange", line))

    def serve_session() -> None:
        try:
            asyncio.run(run())
        except ExchangeError as error:
            raise ConfigError(str(error)) from None

    return serve_session


if __name__ == "__main__":
    main("exchange", compose)
