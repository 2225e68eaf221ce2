-- Run once, when the volume of the database is made. Two databases and two roles: MLflow and Optuna cannot share one (both
-- own a table alembic_version), and who has the password of the studies shall not read the users of the runs.
\getenv runs MLFLOW_DATABASE_PASSWORD
\getenv studies OPTUNA_PASSWORD
CREATE ROLE mlflow LOGIN PASSWORD :'runs';
CREATE ROLE optuna LOGIN PASSWORD :'studies';
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE optuna OWNER optuna;
REVOKE ALL ON DATABASE mlflow, optuna FROM PUBLIC;
