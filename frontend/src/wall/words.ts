/** The words of the wall, Korean first. */

import type { Text } from "../text/texts";

const t = (ko: string, en: string): Text => ({ ko, en });

export const WALL = {
  product: t("마당 상황판", "Madang wall"),
  follows: t("님의 책상을 따라 봅니다", "'s desk is followed"),
  pinned: t("한 사건에 고정", "one incident"),
  no_video: t("책상에서 연 영상이 여기에 나옵니다.", "What the desk opens is shown here."),
  no_video_pinned: t("승인된 영상이 없습니다. 책상에서 승인을 받거나 근무를 시작하십시오.", "No video is granted. Ask for a grant at the desk, or start duty."),
  none: t("진행 중인 사건이 없습니다.", "Nothing is open."),
  more: t("건 더", "more"),
  incidents: t("진행 중인 사건", "Open incidents"),
  video: t("영상", "Video"),
  gone: t("그 사건은 더 볼 수 없습니다.", "That incident is no longer available."),
} as const;
