select
    store_id,
    code,
    name,
    country,
    currency,
    timezone,
    opened_on
from {{ source('raw', 'stores') }}
