select
    rate_date,
    currency,
    eur_per_unit
from {{ source('raw', 'exchange_rates') }}
