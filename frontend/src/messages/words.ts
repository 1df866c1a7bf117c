/** The words of situation messages, Korean first. */

import type { Text } from "../text/texts";
import type { AttemptState, DeliveryState } from "./types";

const t = (ko: string, en: string): Text => ({ ko, en });

export const MSG = {
  title: t("상황전파", "Situation messages"),
  empty: t("아직 전파한 내용이 없습니다.", "Nothing was sent yet."),
  compose: t("상황전파 하기", "Send a message"),
  send: t("전파", "Send"),
  level: t("단계", "Level"),
  tiers: t("받는 단계", "To"),
  template: t("문안", "Words to begin with"),
  own_words: t("직접 쓰기", "In my own words"),
  text_ko: t("내용", "Text in Korean"),
  text_en: t("영문 (선택)", "Text in English (optional)"),
  area: t("지역", "Area"),
  within: t("확인 기한", "Acknowledge within"),
  minutes: t("분", "min"),
  listeners: t("받는 곳", "Who is told"),
  nobody: t("고른 단계에 등록된 대상이 없습니다. 업무 관리의 ‘상황전파 대상’에 등록하십시오.", "Nobody is registered for these tiers. Add them in the back office."),
  choose_tiers: t("받는 단계를 고르면 누구에게 어떻게 가는지 보입니다.", "Choose tiers to see who is told, and over what."),
  phone_only: t("전화", "telephone"),
  acknowledged: t("확인", "acknowledged"),
  acknowledge: t("확인 받음", "They have it"),
  acknowledge_hint: t("다른 길로 확인을 받았습니다", "They told you in another way"),
  next: t("다음 수단", "Next channel"),
  dial: t("번호 보기", "Show number"),
  dial_hint: t("번호를 보면 기록됩니다", "Looking at the number is logged"),
  no_number: t("등록된 번호가 없습니다.", "No number is registered."),
  reached: t("통화함", "Reached"),
  unreached: t("연락 안 됨", "Not reached"),
  call_note: t("통화 결과", "What came of the call"),
  withdraw: t("거두기", "Withdraw"),
  withdraw_title: t("상황전파 거두기", "Withdraw the message"),
  withdraw_why: t("사유", "Reason"),
  all: t("모두 보기", "Show all"),
  fewer: t("접기", "Show fewer"),
  maybe: t("발송 여부 불확실", "may or may not have gone out"),
  by_rule: t("규칙", "Rule"),
} as const;

export const STATES: Record<DeliveryState, { text: Text; sign: string; tone: "good" | "warn" | "bad" | "" }> = {
  acknowledged: { text: t("확인", "Acknowledged"), sign: "●", tone: "good" },
  told: { text: t("알림", "Told"), sign: "●", tone: "good" },
  trying: { text: t("발송 중", "Sending"), sign: "◌", tone: "" },
  sent: { text: t("확인 대기", "Waiting"), sign: "◆", tone: "warn" },
  phone: { text: t("전화 필요", "Telephone"), sign: "▲", tone: "bad" },
  unreached: { text: t("연락 안 됨", "Not reached"), sign: "▲", tone: "bad" },
  withdrawn: { text: t("거둠", "Withdrawn"), sign: "○", tone: "" },
};

export const ATTEMPTS: Record<AttemptState, Text> = {
  queued: t("대기", "queued"),
  sending: t("발송 중", "sending"),
  sent: t("보냄", "sent"),
  failed: t("실패", "failed"),
  unsure: t("불확실", "unsure"),
  dropped: t("보내지 않음", "not sent"),
};

export const CHANNELS: Record<string, Text> = {
  sms: t("문자", "text"),
  email: t("전자우편", "mail"),
  broadcast: t("방송", "loudspeaker"),
};

export const HOW: Record<string, Text> = {
  link: t("링크로", "by link"),
  console: t("상황실에서", "at the desk"),
  phone: t("전화로", "by telephone"),
};

/** What wants a person first: telephone, then whoever is waited for, the settled last. */
export const ORDER: readonly DeliveryState[] = ["phone", "unreached", "sent", "trying", "acknowledged", "told", "withdrawn"];
