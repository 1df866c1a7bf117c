/** The words of checklists, Korean first. Pure data. */

import type { Text } from "../text/texts";
import type { RunPhase, SopStep, Standing } from "./types";

const t = (ko: string, en: string): Text => ({ ko, en });

export const SOP = {
  title: t("대응 절차", "Checklists"),
  empty: t("진행 중인 절차가 없습니다.", "No checklist runs here."),
  none: t("시행 중인 절차가 없습니다. 업무 관리 화면에서 만드십시오.", "No checklist is in force. Word one in the back office."),
  choose: t("절차 고르기", "Choose a checklist"),
  start: t("절차 시작", "Start"),
  stop: t("절차 중단", "Stop checklist"),
  tick: t("완료", "Done"),
  skip: t("건너뛰기", "Skip"),
  undo: t("되돌리기", "Take back"),
  note: t("확인한 내용", "What was seen"),
  still: t("정지영상 이름·번호", "Picture's name or number"),
  answer: t("답", "Answer"),
  left: t("남은 단계", "left"),
  overdue: t("기한 지남", "overdue"),
  due: t("기한", "due in"),
  supervisor: t("책임자", "supervisor"),
  operator: t("관제요원", "operator"),
  by_rule: t("규칙", "rule"),
  by_class: t("사건 종류에 따라 자동 시작", "started for this class"),
  version: t("판", "version"),
  hidden: t("해당 없는 단계", "Steps that fell away"),
  ended_ones: t("끝난 절차", "Ended checklists"),
  not_mine: t("다른 역할이 하는 단계입니다.", "Another role does this step."),
} as const;

export const STANDING: Record<Standing, Text> = {
  waiting: t("대기", "waiting"),
  open: t("할 차례", "to do"),
  done: t("완료", "done"),
  skipped: t("건너뜀", "skipped"),
  off: t("해당 없음", "not needed"),
};

/** By shape, beside the word and the colour. */
export const SHAPE: Record<Standing, string> = { waiting: "○", open: "▶", done: "✓", skipped: "↷", off: "–" };

export const PHASE: Record<RunPhase, Text> = {
  running: t("진행 중", "running"),
  done: t("완료", "done"),
  stopped: t("중단", "stopped"),
  ended: t("사건과 함께 끝남", "ended with the incident"),
};

/** What was entered for a step, in one line. */
export function entered(step: SopStep): string {
  return [step.value, step.note, step.still].filter(Boolean).join(" · ");
}

/** Steps done or out of the way, of all. */
export function progress(steps: readonly SopStep[]): { done: number; all: number } {
  const counted = steps.filter((step) => step.standing !== "off");
  return { done: counted.filter((step) => step.standing === "done" || step.standing === "skipped").length, all: counted.length };
}
