"""Pages that only read: models, help.

Handed: a request. Hands on: HTML.
"""

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from alerts.models import VerdictValue
from alerts.permissions import has_role, role_required
from alerts.selectors import drift, estate, llm, versions
from alerts.views import budget
from alerts.views.common import THEMES, page
from triage.models import Role


@role_required(Role.VIEWER)
@require_safe
def model_list(request: HttpRequest) -> HttpResponse:
    """Show every model version with its metrics and the gate's words."""
    rows = [
        {
            "model": row,
            "metrics": estate.metrics_of(row),
            "taught": estate.taught_by(row),
            "shadow": versions.shadow_of(row),
        }
        for row in estate.models()
    ]
    context = {
        "rows": rows,
        "learning": estate.learning(),
        "training": versions.training(),
        "standing": versions.standing(),
        "drift": drift.drift(),
        "llm": llm.language_model(),
        "may_run_models": has_role(request.user, Role.LEAD),
    }
    return page(request, "alerts/models.html", context | budget.start(), active="models")


@role_required(Role.VIEWER)
@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """Explain keys, words and verdicts."""
    return page(request, "alerts/help.html", {"verdicts": VerdictValue.choices}, active="help")


class Login(LoginView):
    """The login page, in the person's theme."""

    template_name = "registration/login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        """Add the theme."""
        theme = self.request.COOKIES.get("theme", "")
        context: dict[str, object] = super().get_context_data(**kwargs)
        return context | {"theme": theme if theme in THEMES else ""}
