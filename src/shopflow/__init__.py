"""ShopFlow: a fictional online shop with its source systems, its data platform, its history and its faults."""
