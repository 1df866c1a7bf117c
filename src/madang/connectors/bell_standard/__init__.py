"""The national safety-bell standard data (전국안전비상벨위치표준데이터, 15155046), as CSV or Excel, and its dirt."""
