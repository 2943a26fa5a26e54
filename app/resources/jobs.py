"""Jobs, `/v2/jobs`: what the workers have done and have still to do."""

from typing import Any

from flask.views import MethodView

from app.api import Blueprint
from app.auth import principal
from app.pagination import PageArgs, list_of, page, position
from app.schemas.jobs import JobCountArgs, JobCountsOut, JobFilter, JobOut
from app.services.jobs import cancel_job, counts_shown, job_shown_id, job_stored_id
from app.state import state
from graph.jobs import JobRepository

blueprint = Blueprint("jobs", __name__, url_prefix="/v2/jobs", description="Work in the background.")


class JobListArgs(PageArgs, JobFilter):
    """Query arguments of the list."""


def jobs() -> JobRepository:
    """Return the repository for the caller's tenant."""
    return JobRepository(state().graph, principal())


def job_shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a job as the wire shows it."""
    return {**row, "id": job_shown_id(row["id"])}


@blueprint.route("")
class JobList(MethodView):
    @blueprint.arguments(JobListArgs, location="query")
    @blueprint.response(200, list_of(JobOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List jobs, newest first

        Jobs that are over are deleted after a while. Filter by `state` to see what waits or what failed.
        """
        at, limit = position(args), args["limit"]
        filters = {"state": args.get("state"), "kind": args.get("kind")}
        rows = jobs().list(at.before, job_stored_id(at.before_id), at.offset, limit + 1, **filters)
        return page([job_shown(row) for row in rows], limit, at, lambda: jobs().count(**filters))


@blueprint.route("/counts")
class JobCounts(MethodView):
    @blueprint.arguments(JobCountArgs, location="query")
    @blueprint.response(200, JobCountsOut)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Count jobs by state

        What grows in `queued` is more than the workers can do: start another one with `loci worker`.
        """
        return counts_shown(jobs().counts(args.get("kind")))


@blueprint.route("/<job>")
class JobItem(MethodView):
    @blueprint.response(200, JobOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, job: str) -> dict[str, Any]:
        """Get one job by the `job_id` that the store answered

        404 when there is no such job, or when it was over long ago.
        """
        return job_shown(jobs().get(job_stored_id(job)))


@blueprint.route("/<job>/cancel")
class JobCancel(MethodView):
    @blueprint.response(200, JobOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, job: str) -> dict[str, Any]:
        """Cancel a job that has not begun; its memory fails until it is edited or extracted anew

        A job that runs or is over is returned as it is: look at `state`. An import is cancelled while it runs, too: its
        file is forgotten, what it has written stays.
        """
        return job_shown(cancel_job(state(), principal(), job_stored_id(job)))
