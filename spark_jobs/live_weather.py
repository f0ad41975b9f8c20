"""One row a reading, as the station sent it, and how cold it felt."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

# The wind chill of the National Weather Service, which is defined for cold and wind alone.
CHILL = """CASE WHEN temp <= 50 AND wind_speed > 3 THEN round(35.74 + 0.6215 * temp
    - 35.75 * power(wind_speed, 0.16) + 0.4275 * temp * power(wind_speed, 0.16), 1) ELSE temp END"""


def run(lines: DataFrame) -> DataFrame:
    return lines.withColumn("felt", F.expr(CHILL))
