"""112센터 긴급영상 지원: the police room asks, the city shows (S2). The contract is README.md and schema/."""
