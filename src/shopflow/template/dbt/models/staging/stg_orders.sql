select
    order_id,
    customer_id,
    store_id,
    status,
    currency,
    ordered_at,
    {{ business_date('ordered_at') }} as business_date,
    updated_at
from {{ source('raw', 'orders') }}
