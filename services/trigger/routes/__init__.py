"""The endpoints, by what they are about. What is not here is closed."""

from services.trigger.endpoint import Endpoint
from services.trigger.routes import alerts, approve, git, health, runs, schedule

ENDPOINTS: list[Endpoint] = [
    *alerts.ENDPOINTS,
    *git.ENDPOINTS,
    *runs.ENDPOINTS,
    *schedule.ENDPOINTS,
    *approve.ENDPOINTS,
    *health.ENDPOINTS,
]
