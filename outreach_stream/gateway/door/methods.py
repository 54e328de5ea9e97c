"""405 with every method that a path has (RFC 9110, 15.5.6): Starlette names those of one of its routes only."""

import re
from functools import cache

from fastapi import Request
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path


async def not_this_method(request: Request, _: Exception) -> JSONResponse:
    """The answer to a method that no route of the path has."""
    path = request.scope["path"]
    allowed = {method for route in iter_route_contexts(request.app.routes)
               if route.path and _pattern(route.path).match(path) for method in route.methods or ()}
    return JSONResponse({"detail": f"{request.method} is none of the methods of this path."}, 405,
                        {"Allow": ", ".join(sorted(allowed))})


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return compile_path(path)[0]
