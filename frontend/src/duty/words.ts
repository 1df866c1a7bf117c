/** The words of duty, Korean first. Pure data. */

import type { Text } from "../text/texts";
import type { Channel, Direction, HandoverItem, HandoverPhase } from "./types";

const t = (ko: string, en: string): Text => ({ ko, en });

export const DUTY = {
  menu: t("교대·기록", "Duty"),
  handover: t("인수인계", "Hand-over"),
  log: t("통신 기록", "Radio and phone log"),
  tasks: t("할 일", "Tasks"),
  incoming: t("인수 대기", "to take over"),
  shift_now: t("지금 근무", "Shift now"),
  shift_next: t("다음 근무", "Next shift"),
  begin: t("근무표대로 근무 시작", "Begin planned shift"),
  here: t("접속", "at a screen"),
  away: t("화면 없음", "no screen"),
  on_duty: t("근무 중", "on duty"),
  offered_you: t("나에게 넘어온 인계", "Offered to you"),
  until_accept: t("인수하기 전까지는 인계한 사람이 책임집니다.", "Until you accept, the giver stays responsible."),
  accept: t("인수", "Take over"),
  decline: t("거절", "Decline"),
  decline_why: t("거절 사유 (인계한 사람에게 갑니다)", "Reason, told to the giver"),
  withdraw: t("인계 거두기", "Withdraw"),
  you_offered: t("내가 넘긴 인계", "Your offer"),
  give: t("인계하기", "Hand over"),
  give_to: t("받을 사람", "To"),
  give_what: t("넘길 사건", "Incidents"),
  give_none: t("맡은 사건이 없습니다. 인계 내용만 전합니다.", "You hold no incident; only the brief is passed on."),
  brief: t("인계 내용", "Brief"),
  give_submit: t("인계 요청", "Offer"),
  nobody: t("인계받을 사람이 없습니다.", "There is nobody to hand over to."),
  already: t("인계 요청 중", "on offer"),
  others: t("지난 인수인계", "Other hand-overs"),
  choose: t("고르십시오", "Choose"),
  needed: t("빠진 칸을 채우십시오.", "Fill in what is missing."),
  log_empty: t("기록이 없습니다.", "Nothing was logged."),
  log_who: t("말한 쪽", "From"),
  log_whom: t("받은 쪽", "To"),
  log_text: t("내용", "What was said"),
  log_add: t("기록", "Log it"),
  log_channel: t("수단", "Channel"),
  log_direction: t("방향", "Direction"),
  log_correct: t("고침", "Correct"),
  log_corrected: t("고친 기록이 있음", "corrected below"),
  log_correction: t("고친 내용", "Correction"),
  me: t("관제", "Control room"),
  tasks_empty: t("남은 할 일이 없습니다.", "Nothing is left to do."),
  task_new: t("할 일 쓰기", "New task"),
  task_text: t("할 일", "What to do"),
  task_due: t("기한", "Due"),
  task_to: t("맡을 사람", "For"),
  task_anybody: t("아무나", "anybody"),
  take: t("맡기", "Take"),
  hand_on: t("넘기기", "Hand on"),
  complete: t("완료", "Done"),
  snooze: t("미루기", "Put off"),
  result: t("결과", "What came of it"),
  minutes: t("분", "min"),
  go: t("사건 보기", "Open incident"),
  due_in: t("기한까지", "due in"),
  overdue: t("기한 지남", "overdue"),
  snoozed: t("미룸", "put off"),
  unassigned: t("맡은 사람 없음", "nobody's"),
  bound: t("조치하면 저절로 끝납니다.", "Ends when the thing itself is done."),
} as const;

/** What stands in the way of ending duty with a good conscience. */
export function holdsStill(count: number): Text {
  return t(`아직 맡은 사건이 ${count}건 있습니다. 먼저 인계하십시오.`, `You still hold ${count} incidents. Hand them over first.`);
}

export const PHASES: Record<HandoverPhase, Text> = {
  offered: t("답을 기다림", "waiting"),
  accepted: t("인수함", "accepted"),
  partly: t("일부 인수", "partly accepted"),
  declined: t("거절됨", "declined"),
  withdrawn: t("거둠", "withdrawn"),
};

export const ITEM_STATES: Record<HandoverItem["item_state"], Text> = {
  waiting: t("대기", "waiting"),
  accepted: t("인수", "accepted"),
  declined: t("거절", "declined"),
  lapsed: t("해당 없음", "lapsed"),
};

export const CHANNELS: Record<Channel, Text> = {
  radio: t("무전", "radio"),
  phone: t("전화", "phone"),
  visit: t("대면", "in person"),
  message: t("문자", "message"),
};

export const DIRECTIONS: Record<Direction, Text> = { in: t("수신", "in"), out: t("발신", "out") };
