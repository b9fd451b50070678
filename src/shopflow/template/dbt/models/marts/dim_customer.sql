select
    {{ surrogate_key(['customer_id', "strftime(dbt_valid_from, '%Y-%m-%d %H:%M:%S')"]) }} as customer_key,
    customer_id,
    email,
    full_name,
    country,
    city,
    segment,
    marketing_opt_in,
    created_at,
    dbt_valid_from as valid_from,
    dbt_valid_to as valid_to,
    dbt_valid_to is null as is_current
from {{ ref('customers_snapshot') }}
