select
    {{ surrogate_key(['store_id']) }} as store_key,
    store_id,
    code,
    name,
    country,
    currency,
    timezone,
    opened_on
from {{ ref('stg_stores') }}
