/** What the map says about the ground, Korean first. */

import type { Text } from "../text/texts";

const t = (ko: string, en: string): Text => ({ ko, en });

export const WORDS = {
  spot: t("이 지점", "This point"),
  landmarks: t("가까운 곳", "Near by"),
  nothing_known: t("이 지점에 관해 알려진 것이 없습니다.", "Nothing is known about this point."),
  no_landmarks: t("가까이 알려진 곳이 없습니다.", "No known place near by."),
  copy_place: t("위치 복사", "Copy the place"),
  copied: t("복사했습니다", "Copied"),
};
