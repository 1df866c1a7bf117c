"""Everything that changes video, one function a command. Each runs in the caller's transaction."""

from madang.video.commands.break_glass import break_glass, review_break_glass
from madang.video.commands.cases import close_case, move_case, open_case, reopen_case
from madang.video.commands.disclosure import (
    answer_disclosure,
    ask_disclosure,
    check_disclosure,
    read_disclosure,
    refuse_disclosure,
)
from madang.video.commands.grants import Recipient, decide_grant, extend_grant, request_grant, revoke_grant
from madang.video.commands.leases import LeaseTicket, close_lease, open_lease, renew_lease, start_view, stop_view
from madang.video.commands.reviews import draw_access_review, judge_access
from madang.video.commands.roster import assign_shift, end_shift, start_shift
from madang.video.commands.sites import (
    CameraRow,
    Counts,
    SiteRow,
    put_sites,
    set_camera_health,
    set_stream,
    survey_camera,
)
from madang.video.commands.tables import draft_table, faults_of, publish_table

__all__ = [
    "CameraRow",
    "Counts",
    "LeaseTicket",
    "Recipient",
    "SiteRow",
    "answer_disclosure",
    "ask_disclosure",
    "assign_shift",
    "break_glass",
    "check_disclosure",
    "close_case",
    "close_lease",
    "decide_grant",
    "draft_table",
    "draw_access_review",
    "end_shift",
    "extend_grant",
    "faults_of",
    "judge_access",
    "move_case",
    "open_case",
    "open_lease",
    "publish_table",
    "put_sites",
    "read_disclosure",
    "refuse_disclosure",
    "renew_lease",
    "reopen_case",
    "request_grant",
    "review_break_glass",
    "revoke_grant",
    "set_camera_health",
    "set_stream",
    "start_shift",
    "start_view",
    "stop_view",
    "survey_camera",
]
