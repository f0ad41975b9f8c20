-- The day's revenue by the nation of the customer.
SELECT n_name AS nation, sum(revenue) AS revenue, count(*) AS orders
FROM orders
JOIN customer ON c_custkey = o_custkey
JOIN nation ON n_nationkey = c_nationkey
WHERE ds = :ds
GROUP BY n_name
