from enum import Enum

class Compression(Enum):
    UNKNOWN = 0
    NONE = 1
    GZIP = 2
    BROTLI = 3
    ZSTD = 4

class TileType(Enum):
    UNKNOWN = 0
    MVT = 1

def zxy_to_tileid(z: int, x: int, y: int) -> int: ...
def tileid_to_zxy(tile_id: int) -> tuple[int, int, int]: ...
