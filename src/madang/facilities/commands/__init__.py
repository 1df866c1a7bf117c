"""Everything that changes facilities, one function a command. Each runs in the caller's transaction."""

from madang.facilities.commands.inspections import Result, cancel_inspection, plan_inspection, record_inspection
from madang.facilities.commands.orders import NewOrder, Part, WorkDone, issue_order, step_order
from madang.facilities.commands.outages import end_outage, heard, open_outage, report_fault, sign, step_outage
from madang.facilities.commands.register import Counts, FacilityRow, put_facilities, set_service

__all__ = [
    "Counts",
    "FacilityRow",
    "NewOrder",
    "Part",
    "Result",
    "WorkDone",
    "cancel_inspection",
    "end_outage",
    "heard",
    "issue_order",
    "open_outage",
    "plan_inspection",
    "put_facilities",
    "record_inspection",
    "report_fault",
    "set_service",
    "sign",
    "step_order",
    "step_outage",
]
