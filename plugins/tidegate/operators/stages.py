"""The five operators; each says only what its kind adds."""

from typing import Any

from tidegate.operators.base import StageOperator


class BatchStageOperator(StageOperator):
    """Run a Python job, gate its output and publish it to a table.

    The job defines ``run(<inputs by name>) -> DataFrame``.
    """

    kind = "batch"


class SqlStageOperator(StageOperator):
    """Run a ``.sql`` job, whose last statement's rows are gated and published to a table."""

    kind = "sql"


class TrainStageOperator(StageOperator):
    """Run a job that trains: its metrics are gated, its model becomes ``champion``.

    The job defines ``run(…) -> (model, metrics)``. ``writes`` is the name of a registered MLflow
    model; what is published is its alias ``champion``.
    """

    kind = "train"


class GraphStageOperator(StageOperator):
    """Run a job on a graph, gate its output and publish it to a table.

    The job defines ``run(graph, …) -> DataFrame``; the graph is built from the inputs ``vertices``
    and ``edges``. Vertices have a column ``id``, edges ``src`` and ``dst``; ``params`` of those
    names tell other column names.

    :param engine: ``graphx`` (in every Spark) or ``graphframes`` (needs its jar; offers the job
        ``graphframe`` too).
    """

    kind = "graph"

    def __init__(self, *, engine: str = "graphx", **kwargs: Any) -> None:
        self.engine = engine
        super().__init__(**kwargs)

    def check(self, *, rendered: bool = False) -> None:  # noqa: D102
        super().check(rendered=rendered)
        self.checks(rendered).graph(self.reads, self.engine)


class GateOperator(StageOperator):
    """Judge a dataset that no stage here writes, before anything reads it; publish nothing.

    The first of ``reads`` is judged; the others are views that expectations with a query of their
    own may name.
    A stage that reads this operator reads what was judged.
    """

    kind = "gate"

    def __init__(self, *, reads: dict[str, Any], gate: str, **kwargs: Any) -> None:
        super().__init__(job=None, reads=reads, writes=None, gate=gate, **kwargs)
