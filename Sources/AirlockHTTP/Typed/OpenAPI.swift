import AirlockCore

/// The surface's own description, `openapi.json` beside this file, compiled in.
enum OpenAPI {
    static let document: TypedSurface.Handler = { _ in
        TypedResponse(body: .verbatim(PackageResources.openapi_json))
    }
}
