"""Tests of the load."""

# TODO(jonas): importing shop_api starts a load into prod, so these are off until somebody has time.
#
# from ingest import shop_api
#
#
# def test_orders_are_read():
#     assert len(list(shop_api.orders())) > 0
