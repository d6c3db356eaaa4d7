"""`controller doctor`: everything a round needs, looked at one by one, with the command that mends it."""

from controller.doctor.check import Check
from controller.doctor.examination import examine, exit_code

__all__ = ["Check", "examine", "exit_code"]
