-- A thousand people for docker-compose.yml's database; example.com receives no mail.
INSERT INTO people (id, email, name, city, loyalty_years, unsubscribe_token)
SELECT n, 'person' || n || '@example.com', 'Person ' || n, (ARRAY['Leeds', 'York', 'Bath'])[n % 3 + 1], n % 7, md5(n::text)
FROM generate_series(1, 1000) AS n;
