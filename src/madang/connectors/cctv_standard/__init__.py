"""The national CCTV standard data (전국CCTV표준데이터, data.go.kr 15013094): three layouts, and the dirt in them."""
