/** Every word of the screen, Korean first. Pure data. */

import type { Command } from "../keys/keymap";

export interface Text {
  readonly ko: string;
  readonly en: string;
}

const t = (ko: string, en: string): Text => ({ ko, en });

export const TEXTS = {
  product: t("마당 관제", "Madang control room"),
  skip: t("사건 목록으로 건너뛰기", "Skip to incidents"),
  loading: t("불러오는 중…", "Loading…"),
  retry: t("다시 시도", "Try again"),
  close: t("닫기", "Close"),
  cancel: t("취소", "Cancel"),
  confirm: t("확인", "Confirm"),
  save: t("저장", "Save"),
  none: t("없음", "None"),
  unknown: t("모름", "Unknown"),
  forbidden: t("이 화면을 볼 권한이 없습니다.", "Your role does not include this view."),
  no_desk: t("이 역할에는 관제 화면이 없습니다. 업무 관리 화면을 쓰십시오.", "Your role has no control room. Please use the back office."),
  office: t("업무 관리 화면", "Back office"),
  hub: t("데이터 허브", "Data hub"),
  facilities: t("시설물", "Facilities"),
  rules_page: t("규칙", "Rules"),
  review_page: t("검토", "Review"),
  wall_page: t("상황판", "Wall"),
  failed: t("불러오지 못했습니다.", "Could not load."),

  login_title: t("로그인", "Log in"),
  username: t("아이디", "User name"),
  password: t("비밀번호", "Password"),
  login: t("들어가기", "Log in"),
  logout: t("나가기", "Log out"),
  login_wrong: t("아이디나 비밀번호가 맞지 않습니다.", "User name or password is wrong."),
  login_locked: t("여러 번 틀려 잠시 잠겼습니다. 시간이 지난 뒤 다시 하거나 관리자에게 알리십시오.", "Locked after several wrong tries. Wait, or ask your administrator."),
  login_notice: t("모든 열람은 사람·사유·시각과 함께 기록됩니다.", "Every view is recorded with person, reason and time."),
  session_over: t("로그인이 끝났습니다. 다시 들어오십시오.", "Your session ended. Please log in again."),

  simulated: t("모의", "SIMULATED"),
  simulated_long: t("실제 상황이 아닙니다", "not a real situation"),
  exercise: t("훈련", "EXERCISE"),
  exercise_long: t("훈련 상황입니다", "this is a drill"),

  line_live: t("실시간", "Live"),
  line_reconnecting: t("다시 연결 중", "Reconnecting"),
  line_stale: t("끊김", "Stale"),
  stale_banner: t("실시간 연결이 끊겨 화면이 옛 정보일 수 있습니다. 마지막 소식", "The live line is down; this screen may be out of date. Last heard"),
  ago: t("전", "ago"),

  links: t("연계", "Links"),
  link_up: t("정상", "up"),
  link_down: t("두절", "down"),
  link_never: t("미연결", "never"),
  feeds: t("수신", "Feeds"),
  feed_stale: t("오래됨", "stale"),
  feed_rejects: t("거부", "rejected"),
  dead_letters: t("배달 실패", "Dead letters"),
  rejects: t("입력 거부", "Rejected input"),
  alarms: t("경보", "Alarms"),
  sound_on: t("소리 켬", "Sound on"),
  sound_off: t("소리 끔", "Muted"),
  sound_locked: t("소리 잠김 · 아무 곳이나 누르면 켜집니다", "Sound starts after your first click or key"),
  language: t("언어", "Language"),
  theme: t("화면 밝기", "Theme"),
  theme_dark: t("어둡게", "Dark"),
  theme_light: t("밝게", "Light"),
  city: t("도시", "City"),
  help: t("단축키", "Shortcuts"),
  account: t("내 계정", "Account"),

  duty_off: t("근무 외", "Off duty"),
  duty_on: t("근무 중", "On duty"),
  duty_start: t("근무 시작", "Start duty"),
  duty_end: t("근무 종료", "End duty"),
  duty_hours: t("근무 시간", "Hours"),
  duty_why: t("근무 중에는 카메라의 공개된 설치 목적 안에서 실시간으로만 볼 수 있습니다.", "On duty you may view live, within each camera's published purpose."),
  roster: t("근무표", "Roster"),
  roster_empty: t("근무 중인 사람이 없습니다.", "Nobody is on duty."),
  licences: t("쓰인 공개 소프트웨어", "Open source used"),
  duty_left: t("남음", "left"),

  queue: t("사건", "Incidents"),
  filter_open: t("진행", "Open"),
  filter_emergency: t("긴급", "Urgent"),
  filter_mine: t("내 담당", "Mine"),
  filter_todo: t("할 일", "To do"),
  filter_closed: t("종료", "Closed"),
  queue_empty: t("여기에 해당하는 사건이 없습니다.", "No incidents here."),
  queue_empty_open: t("진행 중인 사건이 없습니다. 새 신고가 오면 여기에 나타납니다.", "Nothing is open. New calls appear here."),
  new_incident: t("사건 등록", "New incident"),
  unowned: t("담당 없음", "Unclaimed"),
  mine: t("내 담당", "Mine"),
  pending: t("승인 대기", "awaiting approval"),
  place_missing: t("위치 미상", "No place"),
  just_now: t("새 사건", "New"),

  emergency: t("긴급", "Urgent"),
  caution: t("주의", "Caution"),
  notice: t("알림", "Notice"),

  state_NEW: t("접수", "New"),
  state_VERIFYING: t("확인 중", "Verifying"),
  state_ACTIVE: t("대응 중", "Active"),
  state_STABILISED: t("안정", "Stabilised"),
  state_CLOSED: t("종료", "Closed"),
  state_REVIEWED: t("검토됨", "Reviewed"),
  state_DISMISSED: t("해당 없음", "Dismissed"),
  state_MERGED: t("병합", "Merged"),
  state_CANCELLED: t("취소", "Cancelled"),

  place_located: t("위치 확인", "Located"),
  place_unlocated: t("위치 미상", "Unlocated"),
  place_approximate: t("추정 위치", "Approximate"),
  place_outside: t("관할 밖", "Outside the city"),

  panel: t("사건 상세", "Incident"),
  panel_empty: t("왼쪽에서 사건을 고르십시오.", "Choose an incident on the left."),
  panel_gone: t("이 사건은 더 볼 수 없습니다.", "This incident is no longer available."),
  facts: t("신고 내용", "Facts"),
  call_no: t("신고 번호", "Call no."),
  received: t("접수", "Received"),
  place: t("장소", "Place"),
  accuracy: t("오차", "accuracy"),
  caller: t("신고자", "Caller"),
  owner: t("담당", "Owner"),
  source: t("출처", "Source"),
  source_operator: t("관제 등록", "Control room"),
  source_signal: t("신호", "Signals"),
  source_system: t("시스템", "System"),
  source_police112: t("112 신고", "112 call"),
  outcome: t("처리 결과", "Outcome"),
  doubts: t("확인 필요", "To check"),
  timeline: t("경과", "Timeline"),
  timeline_empty: t("아직 기록이 없습니다.", "No entries yet."),
  cameras: t("카메라", "Cameras"),
  cameras_empty: t("이 장소를 볼 수 있는 카메라가 없습니다.", "No camera can see this place."),
  cameras_unlocated: t("위치가 정해지면 카메라를 찾습니다.", "Cameras are found once the place is known."),
  grants: t("열람 승인", "Video grants"),
  grants_empty: t("아직 승인이 없습니다.", "No grants yet."),

  sees_yes: t("보임", "sees"),
  sees_unknown: t("방향 미상", "direction unknown"),
  sees_no: t("안 보임", "does not see"),
  dori_identify: t("신원 확인", "identify"),
  dori_recognise: t("사람 구별", "recognise"),
  dori_observe: t("행동 관찰", "observe"),
  dori_detect: t("움직임 감지", "detect"),
  dori_beyond: t("너무 멂", "beyond"),
  health_ok: t("정상", "ok"),
  health_degraded: t("저하", "degraded"),
  health_offline: t("끊김", "offline"),
  health_unknown: t("모름", "unknown"),
  view: t("보기", "View"),
  viewing: t("보는 중", "Viewing"),
  ask_grant: t("승인 요청", "Request grant"),
  reasons: t("순위 근거", "Why this rank"),

  grant_kind_case: t("사건", "Case"),
  grant_kind_roster: t("근무", "Roster"),
  grant_kind_break_glass: t("긴급 열람", "Break-glass"),
  grant_requested: t("요청됨", "Requested"),
  grant_pending_human: t("승인 대기", "Awaiting approval"),
  grant_approved: t("승인", "Approved"),
  grant_active: t("열람 가능", "Active"),
  grant_denied: t("거부", "Denied"),
  grant_revoked: t("회수", "Revoked"),
  grant_expired: t("만료", "Expired"),
  grant_ended: t("종료", "Ended"),
  grant_incident_closed: t("사건 종료로 끝남", "Ended with the incident"),
  approve: t("승인", "Approve"),
  deny: t("거부", "Deny"),
  revoke: t("회수", "Revoke"),
  extend: t("연장", "Extend"),
  viewers: t("보는 사람", "viewers"),
  basis: t("근거", "Basis"),
  rule: t("규칙", "Rule"),
  expires: t("만료까지", "expires in"),
  own_request: t("스스로 요청한 승인은 다른 사람이 결정합니다.", "Your own request is decided by somebody else."),

  claim: t("맡기", "Claim"),
  take_over: t("넘겨받기", "Take over"),
  verify: t("확인", "Verify"),
  activate: t("대응", "Activate"),
  stabilise: t("안정", "Stabilise"),
  dismiss: t("해당 없음", "Dismiss"),
  close_incident: t("종료", "Close"),
  reopen: t("다시 열기", "Reopen"),
  note: t("메모", "Note"),
  reason: t("사유", "Reason"),
  reason_needed: t("사유를 적어야 합니다.", "A reason is required."),
  note_text: t("내용", "Text"),
  done: t("처리했습니다.", "Done."),

  locate_title: t("장소를 정해 주십시오", "Find the place"),
  locate_help: t("후보를 고르거나, 지도에서 자리를 누르십시오.", "Choose a candidate, or click the place on the map."),
  locate_none: t("주소에서 찾은 후보가 없습니다. 지도에서 자리를 누르십시오.", "The address gave no candidates. Click the place on the map."),
  locate_on_map: t("지도에서 찍기", "Pick on map"),
  locate_centre: t("지도 가운데로 정하기", "Use map centre"),
  locate_picking: t("지도에서 사건 자리를 누르십시오. Esc로 그만둡니다.", "Click the incident's place on the map. Esc cancels."),
  choose: t("여기로", "Choose"),
  relocate: t("장소 고치기", "Correct place"),

  map: t("지도", "Map"),
  map_empty: t("이 도시의 바탕 지도가 아직 없습니다. 업무 관리 화면에서 경계를 가져오십시오.", "No basemap for this city yet. Import boundaries in the back office."),
  map_failed: t("지도를 그릴 수 없습니다.", "The map cannot be drawn."),
  map_clipped: t("카메라가 많아 묶어 보입니다. 더 들어가면 낱낱이 보입니다.", "Too many cameras: grouped. Zoom in to see each."),
  map_here: t("여기 있는 카메라", "Cameras here"),
  legend: t("범례", "Legend"),
  legend_sector: t("보는 방향(측량)", "surveyed view"),
  legend_disc: t("방향 미상", "direction unknown"),
  legend_accuracy: t("위치 오차", "place accuracy"),
  legend_incident: t("사건", "incident"),
  legend_camera: t("카메라", "camera"),
  zoom_in: t("확대", "Zoom in"),
  zoom_out: t("축소", "Zoom out"),
  fit_city: t("도시 전체", "Whole city"),

  wall: t("영상", "Video"),
  wall_empty: t("투망을 누르거나 카메라에서 ‘보기’를 누르면 영상이 열립니다.", "Throw the net, or press View on a camera."),
  net: t("투망", "Throw the net"),
  net_none: t("이 근처에 볼 수 있는 카메라가 없습니다.", "No camera can be viewed near here."),
  layout: t("화면 나누기", "Layout"),
  expand: t("크게", "Enlarge"),
  shrink: t("작게", "Shrink"),
  hide: t("접기", "Hide"),
  clear_wall: t("모두 닫기", "Close all"),
  wall_full: t("영상 칸이 차서 가장 오래된 것을 닫았습니다.", "The wall was full: the oldest tile was closed."),
  tile_connecting: t("연결 중", "Connecting"),
  tile_playing: t("재생", "Live"),
  tile_stalled: t("멈춤 · 기다리는 중", "Stalled"),
  tile_again: t("다시 연결 중", "Reconnecting"),
  tile_ended: t("끝남", "Ended"),
  tile_refused: t("거절됨", "Refused"),
  tile_unsupported: t("재생할 수 없음", "Not playable"),
  tile_incident_over: t("사건이 종료되어 열람이 끝났습니다", "The incident ended, and viewing with it"),
  tile_behind: t("지연", "behind"),

  break_glass: t("긴급 열람", "Break-glass"),
  break_glass_warning: t(
    "승인 없이 10분 동안 볼 수 있습니다. 책임자 두 사람에게 바로 알리고, 24시간 안에 심사합니다. 사람의 생명·신체가 급박하게 위험할 때만 쓰십시오.",
    "Opens for ten minutes without approval. Two people are told at once and it is reviewed within 24 hours. Only when life is in immediate danger.",
  ),
  break_glass_reason: t("무엇이 급박합니까?", "What is the emergency?"),
  break_glass_open: t("기록하고 열기", "Record and open"),
  break_glass_pick: t("먼저 카메라나 사건을 고르십시오.", "Choose a camera or an incident first."),

  search: t("찾기", "Search"),
  search_hint: t("카메라, 사건, 장소", "Camera, incident, place"),
  search_empty: t("찾은 것이 없습니다.", "Nothing found."),
  search_places: t("장소", "Places"),

  shortcuts_on: t("한 글자 단축키 사용", "Single-letter shortcuts"),
  shortcuts_help: t("끄면 아래 글자 키는 아무 일도 하지 않습니다. 모든 기능은 단추로도 쓸 수 있습니다.", "When off, the keys below do nothing. Everything also has a button."),
  shortcuts_press: t("새 키를 누르십시오 (Esc 그만)", "Press a key (Esc cancels)"),
  shortcuts_taken: t("이미 쓰는 키입니다", "Already used for"),
  shortcuts_reset: t("처음 설정으로", "Reset to defaults"),
  shortcuts_change: t("바꾸기", "Change"),
  shortcuts_clear: t("지우기", "Clear"),

  class_code: t("종별", "Class"),
  priority: t("긴급도", "Priority"),
  address: t("주소·장소 설명", "Address or description"),
  at_map_centre: t("지도 가운데를 장소로", "Use the map centre as the place"),
} as const satisfies Record<string, Text>;

export type TextKey = keyof typeof TEXTS;

/** How many cameras the net opens. */
export function netThrown(count: number): Text {
  return t(`투망: 카메라 ${count}대를 엽니다`, `Net thrown: opening ${count} cameras`);
}

/** What an operator is told whose screen was silent too long. */
export function claimsLost(count: number): Text {
  return t(
    `화면이 끊긴 동안 맡은 사건 ${count}건의 담당이 풀렸습니다. 다시 맡으십시오.`,
    `While this screen was silent you were taken off ${count} incidents. Claim them again.`,
  );
}

/** The text of a key computed at run time, else the key itself: an unknown state is shown, not hidden. */
export function textOf(key: string): Text {
  return (TEXTS as Record<string, Text>)[key] ?? { ko: key.replace(/^[a-z]+_/, ""), en: "" };
}

export const COMMAND_TEXTS: Record<Command, Text> = {
  net: TEXTS.net,
  search: TEXTS.search,
  help: TEXTS.help,
  next: t("다음 사건", "Next incident"),
  previous: t("앞 사건", "Previous incident"),
  claim: t("사건 맡기", "Claim incident"),
  verify: t("확인 시작", "Start verifying"),
  activate: t("대응 시작", "Activate"),
  stabilise: t("안정 처리", "Stabilise"),
  close: t("사건 종료", "Close incident"),
  note: t("메모 쓰기", "Write a note"),
  approve: t("대기 중인 승인 처리", "Approve the waiting grant"),
  locate: t("장소 정하기", "Find the place"),
  new_incident: t("사건 등록", "New incident"),
  break_glass: TEXTS.break_glass,
  wall: t("영상 크게/작게", "Enlarge or shrink video"),
  layout_1: t("영상 1칸", "One tile"),
  layout_4: t("영상 4칸", "Four tiles"),
  layout_9: t("영상 9칸", "Nine tiles"),
  clear_wall: t("영상 모두 닫기", "Close all tiles"),
  mute: t("소리 켬/끔", "Mute or unmute"),
  map: t("지도로 가기", "Go to the map"),
  steps: t("절차의 할 차례로 가기", "Go to the checklist's next step"),
  tasks: t("할 일 목록", "Tasks"),
  log: t("통신 기록", "Radio and phone log"),
  still: t("정지영상 남기기", "Take a still"),
  handover: t("인수인계", "Hand-over"),
  events: t("사안 찾기·펼치기", "Find or unfold events"),
  split: t("사안 분리", "Split the event out"),
  merge: t("사건 병합", "Merge the incident"),
  undo: t("분리·병합 되돌리기", "Undo a split or merge"),
  shelves: t("장치 보류 목록", "Shelved devices"),
  report: t("신고 입력", "Enter a report"),
  own: t("내 것만/전체", "Mine only or everybody's"),
  wall_page: t("상황판 열기", "Open the wall"),
};

/** The published purposes of public cameras (설치 목적) as they appear in data, for people. */
export const PURPOSES: Record<string, Text> = {
  crime_prevention: t("방범", "crime prevention"),
  child_protection: t("어린이 보호", "child protection"),
  traffic_enforcement: t("교통 단속", "traffic enforcement"),
  traffic_information: t("교통 정보", "traffic information"),
  facility: t("시설 안전", "facility safety"),
  facility_safety: t("시설 안전", "facility safety"),
  fire: t("화재", "fire"),
  disaster: t("재난", "disaster"),
  litter: t("쓰레기 단속", "litter"),
  multipurpose: t("다목적", "multipurpose"),
  vehicle: t("차량 방범", "vehicle"),
  other: t("기타", "other"),
  unknown: t("목적 모름", "purpose unknown"),
  "": t("목적 모름", "purpose unknown"),
};

/** Reasons and outcomes that the platform or an agency writes as codes. What people wrote stays as it is. */
export const REASONS: Record<string, Text> = {
  incident_closed: t("사건이 종료됨", "the incident was closed"),
  incident_cancelled: t("사건이 취소됨", "the incident was cancelled"),
  expired: t("기간이 끝남", "expired"),
  "shift ended": t("근무가 끝남", "the shift ended"),
  shift_ended: t("근무가 끝남", "the shift ended"),
  "place changed": t("장소가 바뀜", "the place changed"),
  place_changed: t("장소가 바뀜", "the place changed"),
  case_closed: t("사건이 종료됨", "the case was closed"),
  grant_ended: t("열람 승인이 끝남", "the grant ended"),
  no_lawful_basis: t("법적 근거가 없음", "no lawful basis"),
  rights_not_granted: t("허용되지 않은 권한", "rights not granted"),
  cleared: t("상황 종료", "cleared"),
  resolved: t("해결", "resolved"),
  arrested: t("검거", "arrested"),
  found: t("발견", "found"),
  false_alarm: t("오인 신고", "false alarm"),
  handed_over: t("인계", "handed over"),
  not_found: t("발견하지 못함", "not found"),
  other: t("그 밖", "other"),
};

export function reasonOf(reason: string): Text {
  return REASONS[reason] ?? { ko: reason, en: reason };
}

/** Feeds are named by what they are: the protocol and the placeholders of a topic are for machines. */
export function feedName(name: string): string {
  const plain = name.replace(/^[a-z]+:/, "").replace(/\/?\{[^}]*\}/g, "");
  return plain.split("/").pop() || name;
}

export function purposeOf(purpose: string): Text {
  return PURPOSES[purpose] ?? { ko: purpose, en: "" };
}
