"""A catalog made of objects, for tests and for programs that keep their own."""

from collections.abc import Iterable

from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.schedules import Schedule
from outreach_stream.catalog.snapshot import Catalog, CatalogErrors, dangling
from outreach_stream.engines.config import EngineConfig


class MemoryCatalog:
    """Holds what it is given; `put` replaces it, as an edited folder would."""

    def __init__(
        self, *, workflows: Iterable[Workflow] = (), templates: Iterable[Template] = (),
        engines: Iterable[EngineConfig] = (), schedules: Iterable[Schedule] = (),
    ) -> None:
        self.put(workflows=workflows, templates=templates, engines=engines, schedules=schedules)

    def put(
        self, *, workflows: Iterable[Workflow] = (), templates: Iterable[Template] = (),
        engines: Iterable[EngineConfig] = (), schedules: Iterable[Schedule] = (),
    ) -> None:
        """Replace everything; what is wrong with it is said by `load` and `current`."""
        self._catalog = Catalog(
            workflows={workflow.id: workflow for workflow in workflows},
            templates={template.id: template for template in templates},
            engines={engine.id: engine for engine in engines},
            schedules={schedule.id: schedule for schedule in schedules},
        )

    def load(self) -> Catalog:
        """What was put last; raises `CatalogErrors` when a reference in it leads nowhere."""
        problems = list(dangling(self._catalog))
        if problems:
            raise CatalogErrors(problems)
        return self._catalog

    def current(self) -> Catalog:
        """The same as `load`: there is nothing to keep."""
        return self.load()
