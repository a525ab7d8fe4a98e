import ArgumentParser

/// The server and mount that are written to, and how to log in there.
struct TargetOptions: ParsableArguments {
    @Option(help: "Address of the server, such as http://127.0.0.1:8100.")
    var url: String?

    @Option(help: "Token for the server. Better: AIRLOCK_TOKEN in the environment.")
    var token: String?

    @Option(help: "The JSON of AIRFLOW__SECRETS__BACKEND_KWARGS: server, login, mount and paths as Airflow has them.")
    var backendKwargs: String?

    @Option(help: "The KV mount to write to, instead of the one in --backend-kwargs (\"secret\" if neither says).")
    var mountPoint: String?

    @Option(help: "Namespace on the server.")
    var namespace: String?

    @Option(name: .customLong("cacert"), help: "PEM file of the CA that signed the server's certificate.")
    var caCertificate: String?

    @Flag(help: "Do not check the server's certificate.")
    var tlsSkipVerify = false
}
