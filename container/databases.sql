-- Runs once, when the database volume is created. Two databases and two roles: MLflow and Optuna cannot share a database
-- (both have a table alembic_version), and the password of the studies must not give access to MLflow's users.
\getenv runs MLFLOW_DATABASE_PASSWORD
\getenv studies OPTUNA_PASSWORD
CREATE ROLE mlflow LOGIN PASSWORD :'runs';
CREATE ROLE optuna LOGIN PASSWORD :'studies';
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE optuna OWNER optuna;
REVOKE ALL ON DATABASE mlflow, optuna FROM PUBLIC;
