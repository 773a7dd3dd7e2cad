from realtime.api.documents.history import make_history


def test_profit_is_against_the_first_value() -> None:
    document = make_history([(15, 100_000_000), (30, 101_500_000), (45, 99_000_001)], "15Sec")
    assert document.equity == [100.0, 101.5, 99.000001]
    assert document.profit_loss == [0.0, 1.5, -0.999999]
    assert document.profit_loss_pct == [0.0, 0.015, -0.01]
    assert (document.base_value, document.timeframe) == (100.0, "15Sec")


def test_no_points_give_empty_lists() -> None:
    assert make_history([], "15Sec").timestamp == []
    assert make_history([(15, 0), (30, 1)], "15Sec").profit_loss_pct == [0.0, 0.0]
