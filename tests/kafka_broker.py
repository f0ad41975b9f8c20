"""The demo's broker, by the name that the tests know."""

from demo.stream.broker import Broker

__all__ = ["Broker"]
