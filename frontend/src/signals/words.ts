/** The words about signals, storms, shelves and load, Korean first. */

import type { Text } from "../text/texts";
import type { LoadLevel } from "./load";

const t = (ko: string, en: string): Text => ({ ko, en });

export const SIG = {
  signals: t("신호", "Signals"),
  signals_empty: t("이 사건에 묶인 신호가 없습니다.", "No signals stand behind this incident."),
  events: t("묶인 사안", "Events"),
  storm: t("경보 폭주", "Alarm storm"),
  storm_holds: t("사안", "events"),
  storm_new: t("최근 신호", "last signal"),
  storm_split: t("분리됨", "split out"),
  from_storm: t("폭주에서 분리", "out of a storm"),
  find: t("사안 찾기", "Find events"),
  find_all: t("도시 전체 사안 찾기", "Find events in the whole city"),
  find_hint: t("내용·주소·장치·종별", "Text, address, device, class"),
  all_classes: t("모든 종별", "All classes"),
  all_priorities: t("모든 긴급도", "All priorities"),
  all_sources: t("모든 출처", "All sources"),
  nothing_found: t("조건에 맞는 사안이 없습니다.", "No event matches."),
  events_empty: t("묶인 사안이 없습니다.", "It holds no events."),
  changed: t("새 신호가 있습니다", "There are newer signals"),
  refresh: t("새로 고침", "Refresh"),
  of: t("건", "events"),
  wide: t("넓게 보기", "Open wide"),
  clear: t("조건 지우기", "Clear filters"),
  top: t("많은 순", "Most frequent"),
  choose_event: t("사안을 고르면 할 수 있는 일이 나옵니다. ↑↓ 로 고릅니다.", "Choose an event with ↑↓ to act on it."),

  split: t("분리", "Split out"),
  split_why: t("관제요원이 따로 다룸", "handled on its own"),
  split_done: t("따로 떼어 새 사건으로 만들었습니다", "Split out as its own incident"),
  merge: t("병합", "Merge"),
  merge_title: t("다른 사건에 합치기", "Merge into another incident"),
  merge_help: t("고른 사건이 아래 사건으로 들어가고, 아래 사건이 계속됩니다. 가까운 것부터 보입니다.", "The chosen incident goes into the one below, which goes on. The nearest come first."),
  merge_none: t("합칠 수 있는 열린 사건이 없습니다.", "There is no open incident to merge into."),
  merge_no_storm: t("긴급 사건은 폭주에 넣을 수 없습니다.", "Urgent incidents never go into a storm."),
  merge_forever: t("신호 없이 들어온 사건이라 합친 뒤 되돌릴 수 없습니다.", "It came without signals: merging it cannot be undone."),
  merge_done: t("합쳤습니다", "Merged"),
  undo: t("되돌리기", "Undo"),
  undone: t("되돌렸습니다", "Undone"),
  undo_none: t("되돌릴 것이 없습니다.", "There is nothing to undo."),
  undo_why: t("병합을 되돌림", "the merge was undone"),
  open: t("사건 열기", "Open incident"),
  show_on_map: t("지도", "Map"),
  this_one: t("이 사건", "this incident"),

  shelves: t("장치 보류", "Shelved devices"),
  shelves_empty: t("보류된 장치가 없습니다.", "No device is shelved."),
  shelves_past: t("최근 해제", "Taken off lately"),
  shelve: t("보류", "Shelve"),
  shelve_title: t("장치 보류하기", "Shelve a device"),
  shelve_help: t("보류 중에도 긴급 신호는 그대로 올라옵니다.", "Urgent signals still come through."),
  unshelve: t("보류 해제", "Unshelve"),
  until: t("해제까지", "back in"),
  put_aside: t("보류된 신호", "signals put aside"),
  automatic: t("자동", "automatic"),
  by: t("보류한 사람", "by"),
  device: t("장치", "Device"),
  source: t("출처", "Source"),
  minutes: t("분", "minutes"),
  for_how_long: t("보류 시간", "For how long"),
  talkers: t("신호가 많은 장치", "Most talkative devices"),
  talkers_help: t("최근 한 시간", "last hour"),
  no_talkers: t("최근 한 시간 동안 신호가 없습니다.", "No signals in the last hour."),
  is_shelved: t("보류 중", "shelved"),
  fill_in: t("장치와 사유를 적어야 합니다.", "A device and a reason are needed."),

  late: t("늦게 옴", "late"),
  ending: t("끝남", "ended"),
  confidence: t("확신", "confidence"),
  media: t("영상 있음", "has media"),
  more: t("더 보기", "More"),
  rule: t("규칙", "Rule"),

  report: t("신고 입력", "Enter a report"),
  informant: t("누가 알렸습니까", "Who told it"),
  informant_citizen: t("시민 (전화·방문)", "A citizen"),
  informant_operator: t("관제요원이 직접 봄", "I saw it myself"),
  by_class: t("종별 기준", "As its class says"),
  report_text: t("내용", "What was told"),
  report_send: t("신고 넣기", "Take the report"),
  report_new: t("새 사건으로 접수했습니다", "Opened as a new incident"),
  report_joined: t("이미 있는 사건에 더했습니다", "Added to an incident already there"),
  report_later: t("접수했습니다. 곧 사건 목록에 나타납니다.", "Taken. It will appear among the incidents shortly."),

  load: t("경보량", "Alarm load"),
  load_of: t("요원 1인당 10분", "per operator in 10 min"),
  load_new: t("새 사건", "new items"),
  load_urgent: t("긴급", "urgent"),
  load_storm: t("폭주에 묶임", "held in storms"),
  load_hour: t("1인당 1시간", "per operator and hour"),
  load_unknown: t("경보량을 알 수 없음", "Load unknown"),
  load_old: t("오래된 값", "old figure"),
  operators: t("근무 요원", "operators on duty"),
  taken: t("맡음", "taken"),
  holding: t("진행", "open"),
  nobody: t("근무 중인 요원이 없어 한 사람으로 셈합니다.", "Nobody is on duty; counted as one."),

  everyone: t("전체", "Everybody's"),
  own: t("내 것", "Mine"),
  above: t("위에 새 사건", "new above"),
  more_above: t("위에 더 있음", "more above"),
  below: t("아래에 새 사건", "new below"),
  top_classes: t("종별", "Class"),
  held: t("고르는 동안 순서를 붙들어 둠", "The order is held while you choose"),
} as const satisfies Record<string, Text>;

export const LOADS: Record<LoadLevel, { text: Text; shape: string; tone: "good" | "warn" | "bad" }> = {
  calm: { text: t("여유", "Calm"), shape: "●", tone: "good" },
  busy: { text: t("바쁨", "Busy"), shape: "◆", tone: "warn" },
  flood: { text: t("폭주", "Flood"), shape: "▲", tone: "bad" },
};

export const SOURCES: Record<string, Text> = {
  sensor: t("센서", "Sensor"),
  bell: t("비상벨", "Bell"),
  frigate: t("영상 분석", "Video analytics"),
  onvif: t("카메라 감지", "Camera event"),
  agency: t("기관", "Agency"),
  citizen: t("시민", "Citizen"),
  operator: t("관제요원", "Operator"),
  rule: t("규칙", "Rule"),
  facility: t("시설물", "Facility"),
};

export function sourceOf(source: string): Text {
  return SOURCES[source] ?? { ko: source, en: source };
}

/** Why a signal is where it is. */
export const WHYS: Record<string, Text> = {
  opened: t("사건을 엶", "opened it"),
  repeated: t("되풀이", "repeated"),
  merged: t("같은 일로 묶임", "same event"),
  ended: t("상황 끝남", "ended"),
  late: t("늦게 도착", "came late"),
  past_shelf: t("긴급이라 보류를 지남", "urgent, past the shelf"),
  shelved: t("보류됨", "shelved"),
  chattering: t("떨림으로 보류", "chattering"),
  ended_nothing: t("끝낼 것이 없음", "ended nothing"),
  opens_nothing: t("기록만", "record only"),
  stale: t("너무 오래됨", "too old"),
  fault: t("처리 못함", "fault"),
};

export function whyOf(reason: string): Text {
  return WHYS[reason] ?? { ko: reason, en: reason };
}
