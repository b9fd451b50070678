select
    order_id,
    store_id,
    status
from {{ source('raw', 'orders') }}
