/** Classes an operator may register by hand. Agencies bring their own codes. Pure data. */

export interface IncidentClass {
  code: string;
  ko: string;
  en: string;
}

export const USUAL_CLASSES: readonly IncidentClass[] = [
  { code: "operator_observed", ko: "관제 중 발견", en: "Seen on camera" },
  { code: "suspicious_person", ko: "거동 수상", en: "Suspicious person" },
  { code: "assault", ko: "폭행·다툼", en: "Assault" },
  { code: "fallen_person", ko: "쓰러진 사람", en: "Fallen person" },
  { code: "missing_person", ko: "실종·배회", en: "Missing person" },
  { code: "traffic_accident", ko: "교통사고", en: "Traffic accident" },
  { code: "fire", ko: "화재·연기", en: "Fire or smoke" },
  { code: "flood", ko: "침수", en: "Flooding" },
  { code: "facility_fault", ko: "시설 고장", en: "Facility fault" },
  { code: "other", ko: "그 밖", en: "Other" },
];
