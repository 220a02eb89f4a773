"""For those who run it: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from voicestress_gateway import metrics
from voicestress_gateway.gateway import Gateway


def probes_router(gateway: Gateway) -> APIRouter:
    """``/healthz``, ``/readyz`` and ``/metrics``; none asks for a key."""
    router = APIRouter()

    @router.get("/healthz", summary="Is the gateway alive?", operation_id="health")
    async def health() -> JSONResponse:
        """200 as long as it answers at all."""
        return JSONResponse({"status": "alive"})

    @router.get(
        "/readyz",
        summary="Should requests be sent here?",
        operation_id="readiness",
        responses={503: {"description": "not now: the model can't be asked, or the gateway is being stopped"}},
    )
    async def readiness() -> JSONResponse:
        """200 while the model is ready and its contract was read, and the gateway is not being stopped."""
        if gateway.is_ready:
            return JSONResponse({"status": "ready"})
        reason = "the gateway is being stopped" if gateway.is_draining else gateway.readiness.reason
        return JSONResponse({"status": "not ready", "reason": reason}, 503)

    @router.get(
        "/metrics",
        summary="Prometheus metrics",
        operation_id="metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def prometheus() -> Response:
        """The gateway's metrics, each named ``voicestress_gateway_*``."""
        gateway.metrics.upload_memory.set(gateway.uploads.memory.taken)
        return Response(gateway.metrics.render(), media_type=metrics.MEDIA_TYPE)

    return router
