/** Classes an operator may register by hand. Agencies bring their own codes. Pure data. */

export interface IncidentClass {
  code: string;
  ko: string;
  en: string;
}

export const USUAL_CLASSES: readonly IncidentClass[] = [
  { code: "suspicious_person", ko: "거동수상", en: "Suspicious person" },
  { code: "disturbance", ko: "시비·소란", en: "Disturbance" },
  { code: "assault", ko: "폭행", en: "Assault" },
  { code: "weapon", ko: "흉기", en: "Weapon" },
  { code: "missing_person", ko: "실종", en: "Missing person" },
  { code: "traffic_accident", ko: "교통사고", en: "Traffic accident" },
  { code: "fire", ko: "화재", en: "Fire" },
  { code: "medical", ko: "구급", en: "Medical emergency" },
  { code: "facility_fault", ko: "시설물 고장", en: "Facility fault" },
  { code: "other", ko: "기타", en: "Other" },
];
