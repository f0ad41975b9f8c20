"""How long a warm driver serves, and the processes that it forks."""

import os
import signal
from typing import NoReturn

import pytest

from tidegate.driver.warm import MOST_GROWTH_MIB, MOST_STAGES, Fork, why_replaced


@pytest.mark.parametrize(
    ("served", "grown", "why"),
    [
        (MOST_STAGES - 1, MOST_GROWTH_MIB, ""),
        (MOST_STAGES, 0, "it has served 200 stages"),
        (1, MOST_GROWTH_MIB + 1, "it has grown by 257 MiB"),
    ],
)
def test_a_driver_is_replaced_after_so_many_stages_or_mib(
    served: int, grown: int, why: str
) -> None:
    assert why_replaced(served, MOST_STAGES, grown) == why


def echo(orders: int, answers: int) -> NoReturn:
    os.write(answers, b"r")
    with open(orders) as asking:
        text = asking.read()
    os._exit(len(text))  # not through pytest, which has been forked as well


def test_a_fork_begins_when_it_is_asked() -> None:
    fork = Fork(echo)
    assert fork.is_ready()
    fork.ask({"a": 1})
    assert fork.exit_code() == len('{"a": 1}')


def test_a_fork_that_has_died_meanwhile_is_not_ready() -> None:
    fork = Fork(echo)
    assert fork.is_ready()
    os.kill(fork.pid, signal.SIGKILL)
    os.waitid(os.P_PID, fork.pid, os.WEXITED | os.WNOWAIT)
    assert not fork.is_ready()
    fork.ask({})
    assert fork.exit_code() == 128 + signal.SIGKILL
