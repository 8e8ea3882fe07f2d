//! Prints the OpenAPI document of `/api/v1`; `cargo xtask openapi` writes it to `docs/openapi.json`.

fn main() {
    print!("{}", web::openapi());
}
