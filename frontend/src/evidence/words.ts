/** The words of evidence, Korean first. */

import type { Text } from "../text/texts";
import type { ExportState, ItemKind, ItemState } from "./types";

const t = (ko: string, en: string): Text => ({ ko, en });

export const EVD = {
  title: t("증거", "Evidence"),
  empty: t("남긴 영상이 없습니다. 영상 화면에서 정지영상을 남길 수 있습니다.", "Nothing was kept. Take a still from a picture on the wall."),
  no_right: t("증거를 볼 수 있는 역할이 아닙니다.", "Your role does not see evidence."),
  still: t("정지영상", "Still"),
  take_still: t("정지영상 남기기", "Take a still"),
  still_wanted: t("정지영상을 남깁니다.", "The still is being kept."),
  no_tile: t("열려 있는 사건 영상이 없습니다.", "No picture of an incident is open."),
  record: t("녹화", "Record"),
  record_title: t("녹화 시작", "Start recording"),
  past: t("사전 영상 보존", "Keep the time before"),
  stop: t("녹화 종료", "Stop recording"),
  camera: t("카메라", "Camera"),
  may_record: t("녹화 권한 요청", "Ask to record"),
  why: t("사유 (다섯 글자 이상)", "Reason (at least five characters)"),
  lock: t("잠금", "Lock"),
  lock_title: t("증거 잠금", "Lock evidence"),
  until: t("기한", "Until"),
  unlock: t("잠금 해제", "Unlock"),
  locked: t("잠김", "Locked"),
  own_lock: t("잠근 사람은 풀 수 없습니다.", "Who locked it cannot unlock it."),
  look: t("보기", "Look"),
  logged: t("열람은 기록됩니다.", "Looking is logged."),
  history: t("다룬 이력", "Who did what"),
  kept_until: t("보관", "Kept until"),
  erased: t("파기", "Erased"),
  choose: t("반출할 것으로 고르기", "Choose for hand-over"),
  ask_export: t("반출 요청", "Ask to hand over"),
  export_title: t("증거 반출 요청", "Ask to hand evidence over"),
  exports: t("반출", "Hand-overs"),
  office: t("받는 기관", "Office"),
  person: t("받는 사람", "Person"),
  basis: t("법적 근거", "Legal basis"),
  purpose: t("목적", "Purpose"),
  approve: t("승인", "Approve"),
  deny: t("거부", "Deny"),
  withdraw: t("거두기", "Withdraw"),
  fetch: t("내려받기 (한 번)", "Download (once)"),
  own: t("자신이 요청한 것은 다른 담당자가 결정합니다.", "Another person decides on what you asked for."),
  items: t("건", "items"),
  requested: t("요청", "Asked by"),
  decided: t("결정", "Decided by"),
  picture_lost: t("그림을 불러오지 못했습니다.", "The picture could not be loaded."),
  digest: t("요약값", "Digest"),
  no_playback: t("녹화 재생 권한이 없습니다.", "You may not play recordings back."),
} as const;

export const KINDS: Record<ItemKind, Text> = {
  still: t("정지영상", "Still"),
  recording: t("녹화", "Recording"),
  past: t("사전 영상", "Time before"),
};

export const STATES: Record<ItemState, { text: Text; sign: string; tone: "good" | "warn" | "bad" | "" }> = {
  WANTED: { text: t("남기는 중", "Being kept"), sign: "◌", tone: "" },
  TAKING: { text: t("녹화 중", "Recording"), sign: "◉", tone: "warn" },
  KEPT: { text: t("보관", "Kept"), sign: "●", tone: "good" },
  PARTIAL: { text: t("일부만 보관", "Kept in part"), sign: "◆", tone: "warn" },
  FAILED: { text: t("실패", "Failed"), sign: "✕", tone: "bad" },
  ERASED: { text: t("파기됨", "Erased"), sign: "○", tone: "" },
};

export const EXPORT_STATES: Record<ExportState, { text: Text; sign: string; tone: "good" | "warn" | "bad" | "" }> = {
  REQUESTED: { text: t("승인 대기", "Waits for approval"), sign: "◆", tone: "warn" },
  APPROVED: { text: t("묶는 중", "Being packed"), sign: "◌", tone: "" },
  READY: { text: t("내려받기 대기", "Ready"), sign: "●", tone: "good" },
  HANDED_OVER: { text: t("반출됨", "Handed over"), sign: "■", tone: "good" },
  DENIED: { text: t("거부", "Denied"), sign: "✕", tone: "bad" },
  WITHDRAWN: { text: t("거둠", "Withdrawn"), sign: "○", tone: "" },
  FAILED: { text: t("묶지 못함", "Could not be packed"), sign: "✕", tone: "bad" },
  LAPSED: { text: t("기한 지남", "Lapsed"), sign: "○", tone: "" },
};

const FAULTS: Record<string, Text> = {
  gateway_restarted: t("영상 서버가 다시 시작됨", "the gateway restarted"),
  disk_full: t("저장 공간 부족", "the disk was full"),
  camera_stopped: t("카메라 끊김", "the camera stopped"),
  camera_not_open: t("열려 있지 않은 카메라", "the camera was not open"),
  camera_not_answering: t("카메라 응답 없음", "the camera did not answer"),
  grant_ended: t("영상 제공이 끝남", "the grant had ended"),
  not_answered: t("영상 서버 응답 없음", "the gateway did not answer"),
  nothing_kept: t("남아 있는 사전 영상이 없음", "nothing was held of the time before"),
  cannot_decode: t("영상을 풀 수 없음", "the picture could not be decoded"),
  too_large: t("최대 크기", "the largest size was reached"),
  core_does_not_store: t("저장이 늦음", "storing was too slow"),
  damaged: t("저장된 파일 손상", "the stored file was damaged"),
};

export function faultText(fault: string): Text {
  return FAULTS[fault] ?? { ko: fault, en: fault };
}

const ACTS: Record<string, Text> = {
  still_wanted: t("정지영상 남김", "took the still"),
  recording_wanted: t("녹화 시작", "asked to record"),
  recording_began: t("녹화됨", "recording began"),
  past_wanted: t("사전 영상 보존", "kept the time before"),
  halted: t("녹화 종료", "stopped the recording"),
  kept: t("보관됨", "kept"),
  partial: t("일부만 보관됨", "kept in part"),
  failed: t("실패", "failed"),
  locked: t("잠금", "locked"),
  unlocked: t("잠금 해제", "unlocked"),
  seen: t("열람", "looked"),
  played: t("재생", "played back"),
  erased: t("파기", "erased"),
};

export function actText(act: string): Text {
  return ACTS[act] ?? { ko: act, en: act };
}
