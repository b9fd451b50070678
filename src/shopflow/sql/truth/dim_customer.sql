select
    customer_key, customer_id, email, full_name, country, city, segment, marketing_opt_in, created_at, valid_from, valid_to,
    valid_to is null as is_current
from customer_versions
