"""The application: routes, pages, and what runs beside them."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio.to_thread
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware

from shop import contract
from shop.domain.errors import Unavailable
from shop.routes import board, cart, manager, menu, orders, problems, session, site
from shop.services import Services
from shop.web import Pages, Surroundings

logger = logging.getLogger(__name__)

THREADS = 32
PAGES = Path(__file__).resolve().parent.parent / "web"


def create_app(services: Services | None, *, pages: Path = PAGES) -> FastAPI:
    """The shop as an ASGI application.

    Without `services` it can only describe itself: that is how the contract is written.
    """
    app = FastAPI(
        title="Brew Haven",
        lifespan=_lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.services = services
    app.openapi = lambda: contract.openapi(app)  # type: ignore[method-assign]
    for module in (site, menu, session, cart, orders, board, manager):
        app.include_router(module.router)
    problems.install(app)
    if pages.is_dir():
        # What no route answers, instead of a mount at "/": a mount would also take what a route refuses (405).
        app.router.default = Pages(directory=pages, html=True)
    app.add_middleware(GZipMiddleware, minimum_size=2_000, compresslevel=4)
    app.add_middleware(Surroundings, media_origins=lambda: services.pictures.origins() if services else ())
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    await _do(services.seam.refresh)  # before the first request: what it writes has to go where the others write
    chores = [
        asyncio.create_task(_every(10, services.seam.refresh)),
        asyncio.create_task(_every(60, services.cancel_lapsed)),
    ]
    yield
    for chore in chores:
        chore.cancel()
    await asyncio.gather(*chores, return_exceptions=True)
    await run_in_threadpool(services.seam.close)


async def _every(seconds: float, chore: Callable[[], object]) -> None:
    """Do a chore again and again."""
    while True:
        await asyncio.sleep(seconds * random.uniform(0.9, 1.1))  # noqa: S311  (so that tasks do not all ask at once)
        await _do(chore)


async def _do(chore: Callable[[], object]) -> None:
    """Do a chore; a failure is logged and the next turn tries anew."""
    try:
        await run_in_threadpool(chore)
    except Unavailable as error:
        logger.warning("a chore has to wait: %s", error)
    except Exception:
        logger.warning("a chore failed; it is tried again", exc_info=True)
