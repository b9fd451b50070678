select
    {{ surrogate_key(['product_id']) }} as product_key,
    product_id,
    sku,
    name,
    category,
    list_price_eur,
    cost_eur,
    active
from {{ ref('stg_products') }}
