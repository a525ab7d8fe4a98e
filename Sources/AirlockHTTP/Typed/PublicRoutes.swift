import AirlockCore

/// What the typed surface tells everybody about itself.
enum PublicRoutes {
    /// `openapi.json` beside this file, compiled in.
    static let document: TypedSurface.Handler = { _ in
        TypedResponse(body: .verbatim(PackageResources.openapi_json))
    }

    /// The Airflow whose REST API this is the shape of: clients switch features on by it.
    static let version: TypedSurface.Handler = { _ in
        TypedResponse(body: ["version": "3.3.2", "git_version": .null])
    }
}
