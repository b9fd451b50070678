select
    customer_id,
    email,
    full_name,
    country,
    city,
    segment,
    marketing_opt_in,
    created_at,
    updated_at
from {{ source('raw', 'customers') }}
