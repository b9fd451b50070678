select
    product_id,
    sku,
    name,
    category,
    list_price_eur,
    cost_eur,
    active,
    updated_at
from {{ source('raw', 'products') }}
