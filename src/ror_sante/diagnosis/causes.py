"""The causes that can be told apart, and what works by accident only, in English and French: one table of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from ror_sante.errors import Finding, Severity
from ror_sante.tls.faults import SUPPORT

Confidence = Literal["high", "medium", "low"]
Lang = Literal["en", "fr"]

# The code of what the table does not know.
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One explanation of a failure.

    Attributes:
        code: a stable word for programs, such as ``intermediate-not-sent``; ``unknown`` when nothing fits.
        confidence: ``high`` only where a certificate at hand or an unmistakable sign proves it.
        evidence: what it stands on.
        title: the cause, in one sentence.
        next_step: what to do.
    """

    code: str
    confidence: Confidence
    evidence: str
    title: str
    next_step: str


class Words(NamedTuple):
    """A cause, or an accident, in both languages: the title and the next step of each."""

    title_en: str
    next_en: str
    title_fr: str
    next_fr: str


_ORDER: Final = "Order it on the IGC-Santé platform, form 413, box ORG AUTH_CLI."
_ORDER_FR: Final = "Commandez-le sur la plateforme IGC-Santé, formulaire 413, case ORG AUTH_CLI."
_SERVICE: Final = f"Nothing can be done on this side: tell {SUPPORT}."
_SERVICE_FR: Final = f"Rien à faire de ce côté-ci : prévenez {SUPPORT}."
_NETWORK: Final = "Ask the network's administrator to let this host and port through, or name the proxy in [network]."
_NETWORK_FR: Final = "Demandez à l'administrateur du réseau d'ouvrir cet hôte et ce port, ou nommez le proxy [network]."

_REPAIR: Final = (
    "Ask the network's administrator to repair IPv6 or to take it off this machine; until then each new connection "
    "waits the whole connect_timeout before it tries IPv4."
)
_REPAIR_FR: Final = (
    "Demandez à l'administrateur du réseau de réparer l'IPv6 ou de le retirer de cette machine ; d'ici là, chaque "
    "nouvelle connexion attend tout le connect_timeout avant d'essayer l'IPv4."
)

CAUSES: Final[dict[str, Words]] = {
    # ---- our certificate
    "intermediate-not-sent": Words(
        "Our certificate goes out without its intermediate",
        "Add ACI-EL-ORG.cer to `intermediates` in [identity], or use a P12 that holds it "
        "(`ror-sante identity bundle`).",
        "Notre certificat part sans son certificat intermédiaire",
        "Ajoutez ACI-EL-ORG.cer à `intermediates` dans [identity], ou prenez un P12 qui le contient "
        "(`ror-sante identity bundle`).",
    ),
    "client-expired": Words(
        "Our certificate has expired",
        f"Renew it; the same DN needs no new registration. {_ORDER}",
        "Notre certificat a expiré",
        f"Renouvelez-le ; un DN inchangé n'est pas à déclarer de nouveau. {_ORDER_FR}",
    ),
    "client-not-yet-valid": Words(
        "Our certificate is not valid yet at the time of this machine's clock",
        "Check this machine's clock first; else wait for the date that `ror-sante identity show` prints.",
        "Notre certificat n'est pas encore valable à l'heure de cette machine",
        "Vérifiez d'abord l'horloge de cette machine ; sinon attendez la date que donne `ror-sante identity show`.",
    ),
    "client-usage": Words(
        "Our certificate was not made to authenticate a client",
        f"Use the AUTH_CLI certificate: a SIGN, CONF or server one is refused. {_ORDER}",
        "Notre certificat n'est pas fait pour authentifier un client",
        f"Prenez le certificat AUTH_CLI : un certificat SIGN, CONF ou de serveur est refusé. {_ORDER_FR}",
    ),
    "client-other-authority": Words(
        "Our certificate comes from another authority than the one trusted there",
        "Use a certificate of the IGC-Santé tree of this environment; `ror-sante identity show` names the issuer.",
        "Notre certificat vient d'une autre autorité que celle de cet environnement",
        "Prenez un certificat IGC-Santé de cet environnement ; `ror-sante identity show` nomme l'émetteur.",
    ),
    "test-in-production": Words(
        "A TEST certificate is used in production",
        "Use the production certificate, or the environment bac-a-sable.",
        "Un certificat de TEST est utilisé en production",
        "Prenez le certificat de production, ou l'environnement bac-a-sable.",
    ),
    "production-in-test": Words(
        "A production certificate is used in a test environment",
        "Use a TEST certificate here.",
        "Un certificat de production est utilisé dans un environnement de test",
        "Prenez ici un certificat de TEST.",
    ),
    "client-revoked": Words(
        "Our certificate is revoked",
        f"Ask the certificate's administrator who revoked it, and order another. {_ORDER}",
        "Notre certificat est révoqué",
        f"Demandez à l'administrateur du certificat qui l'a révoqué, et commandez-en un autre. {_ORDER_FR}",
    ),
    "client-none-sent": Words(
        "The server asks for a client certificate and we sent none",
        "Configure [identity] with the P12; for the API host see present_certificate_to_api in [rorn].",
        "Le serveur demande un certificat client et nous n'en avons envoyé aucun",
        "Configurez [identity] avec le P12 ; pour l'hôte de l'API voyez present_certificate_to_api dans [rorn].",
    ),
    "client-not-registered": Words(
        "Our certificate is valid, and the server does not let it in",
        f"Send its DN (`ror-sante identity dn`) to {SUPPORT}.",
        "Notre certificat est valable, et le serveur ne le laisse pas entrer",
        f"Envoyez son DN (`ror-sante identity dn`) à {SUPPORT}.",
    ),
    "passphrase": Words(
        "The P12 or its passphrase is not the right one",
        "Try `ror-sante identity show FILE` and type the passphrase by hand.",
        "Le P12 ou sa phrase secrète n'est pas le bon",
        "Essayez `ror-sante identity show FICHIER` en tapant la phrase secrète.",
    ),
    "openssl-policy": Words(
        "OpenSSL's policy on this machine refuses our key or certificate",
        "Look at OPENSSL_CONF and the security level; an RSA key needs 2048 bits and the signature SHA-256.",
        "La politique d'OpenSSL de cette machine refuse notre clé ou notre certificat",
        "Voyez OPENSSL_CONF et le niveau de sécurité ; il faut une clé RSA de 2048 bits et une signature SHA-256.",
    ),
    # ---- the server's certificate
    "server-intermediate-not-sent": Words(
        "The server sends its certificate without the intermediate",
        f"Tell {SUPPORT}; meanwhile name the intermediate in `lend_intermediates` of [network].",
        "Le serveur envoie son certificat sans l'intermédiaire",
        f"Prévenez {SUPPORT} ; en attendant, nommez l'intermédiaire dans `lend_intermediates` de [network].",
    ),
    "server-expired": Words(
        "The server's certificate has expired", _SERVICE, "Le certificat du serveur a expiré", _SERVICE_FR
    ),
    "server-not-yet-valid": Words(
        "The server's certificate is not valid yet at the time of this machine's clock",
        f"Check this machine's clock; if it is right, tell {SUPPORT}.",
        "Le certificat du serveur n'est pas encore valable à l'heure de cette machine",
        f"Vérifiez l'horloge de cette machine ; si elle est juste, prévenez {SUPPORT}.",
    ),
    "clock": Words(
        "This machine's clock is wrong by more than certificates allow",
        "Set the clock by NTP and try again.",
        "L'horloge de cette machine est fausse au-delà de ce que les certificats permettent",
        "Réglez l'horloge par NTP et recommencez.",
    ),
    "server-name": Words(
        "The server's certificate does not name this host",
        "Check the address and the DNS answer; a proxy can answer in the server's place too.",
        "Le certificat du serveur ne nomme pas cet hôte",
        "Vérifiez l'adresse et la réponse du DNS ; un proxy peut aussi répondre à la place du serveur.",
    ),
    "server-cn-only": Words(
        "The server's certificate names this host in its CN alone, which no longer counts",
        f"The service needs a certificate with a subjectAltName: tell {SUPPORT}.",
        "Le certificat du serveur ne nomme cet hôte que dans son CN, ce qui ne suffit plus",
        f"Il faut au service un certificat avec subjectAltName : prévenez {SUPPORT}.",
    ),
    "server-usage": Words(
        "The server's certificate was not made for a server",
        _SERVICE,
        "Le certificat du serveur n'est pas fait pour un serveur",
        _SERVICE_FR,
    ),
    "server-self-signed": Words(
        "The server shows a self-signed certificate",
        "Check the address: something else answers there, or the service is not yet set up.",
        "Le serveur montre un certificat auto-signé",
        "Vérifiez l'adresse : autre chose y répond, ou le service n'est pas encore installé.",
    ),
    "server-imitation": Words(
        "The server's chain bears the names of the trusted tree, with other keys",
        "Do not go on: it is an imitation, or a root made again under the same name. Compare fingerprints with ANS.",
        "La chaîne du serveur porte les noms de l'arbre de confiance, avec d'autres clés",
        "N'allez pas plus loin : c'est une imitation, ou une racine refaite. Comparez les empreintes avec l'ANS.",
    ),
    "server-other-environment": Words(
        "The server stands under the root of the other environment (TEST against production)",
        "Check the addresses and anchors of the environment.",
        "Le serveur relève de la racine de l'autre environnement (TEST ou production)",
        "Vérifiez les adresses et les `anchors` de l'environnement.",
    ),
    "server-other-authority": Words(
        "The server's certificate was issued by another authority than the trusted one",
        f"Ask {SUPPORT} whether this authority is right for this host; only then set `api_anchors` (or the anchors key "
        "of that host) to it. If the issuer is a box of your network, ask for an exception for this host.",
        "Le certificat du serveur vient d'une autre autorité que celle de confiance",
        f"Demandez à {SUPPORT} si cette autorité est la bonne pour cet hôte ; alors seulement, nommez-la dans "
        "`api_anchors` (ou la clé d'ancres de cet hôte). Si l'émetteur est un équipement de votre réseau, demandez une "
        "exception pour cet hôte.",
    ),
    "tls-interception": Words(
        "A proxy of the network opens the TLS connection and shows a certificate of its own",
        "Ask for an exception from TLS inspection for this host; mutual TLS cannot pass through it.",
        "Un proxy du réseau ouvre la connexion TLS et montre un certificat à lui",
        "Demandez une exception à l'inspection TLS pour cet hôte ; le TLS mutuel ne peut la traverser.",
    ),
    # ---- the way
    "tls-version": Words(
        "Client and server have no version of TLS in common",
        f"The server must speak TLS 1.2 or 1.3: tell {SUPPORT}; or something on the way answers in its place.",
        "Client et serveur n'ont aucune version de TLS en commun",
        f"Le serveur doit parler TLS 1.2 ou 1.3 : prévenez {SUPPORT} ; ou un équipement répond à sa place.",
    ),
    "tls-cipher": Words(
        "Client and server have no cipher suite in common",
        f"Tell {SUPPORT}; until then `wide_tls12_hosts` in [network] accepts the older TLS 1.2 suites of this host.",
        "Client et serveur n'ont aucune suite de chiffrement en commun",
        f"Prévenez {SUPPORT} ; d'ici là, `wide_tls12_hosts` dans [network] accepte les anciennes suites TLS 1.2.",
    ),
    "tls-weak": Words(
        "The server's TLS is too weak for us (key, signature or parameters)",
        _SERVICE,
        "Le TLS du serveur est trop faible pour nous (clé, signature ou paramètres)",
        _SERVICE_FR,
    ),
    "not-tls": Words(
        "What answers at this port does not speak TLS",
        "Check the port; a captive portal or a plain HTTP port answers like this.",
        "Ce qui répond à ce port ne parle pas TLS",
        "Vérifiez le port ; un portail captif ou un port HTTP en clair répond ainsi.",
    ),
    "dns": Words(
        "The host name cannot be resolved",
        "Check its spelling and this machine's DNS; where only the proxy resolves outside names, name it in [network].",
        "Le nom d'hôte ne peut être résolu",
        "Vérifiez son orthographe et le DNS ; si seul le proxy résout les noms extérieurs, nommez-le dans [network].",
    ),
    "refused": Words(
        "Nothing listens at this port, or a firewall refuses it",
        "Check host and port; https://status.esante.gouv.fr tells of incidents.",
        "Rien n'écoute à ce port, ou un pare-feu le refuse",
        "Vérifiez l'hôte et le port ; https://status.esante.gouv.fr signale les incidents.",
    ),
    "no-route": Words("There is no way to this host", _NETWORK, "Il n'y a pas de route vers cet hôte", _NETWORK_FR),
    "dropped": Words(
        "No answer to the connection: a firewall drops it, or the machine is down",
        _NETWORK,
        "Pas de réponse à la connexion : un pare-feu la jette, ou la machine est arrêtée",
        _NETWORK_FR,
    ),
    "ipv6-black-hole": Words(
        "The network loses what is sent to the host's IPv6 address",
        _REPAIR,
        "Le réseau perd ce qui part vers l'adresse IPv6 de l'hôte",
        _REPAIR_FR,
    ),
    "handshake-cut": Words(
        "Something on the way cuts or resets the connection in the handshake",
        _NETWORK,
        "Quelque chose en chemin coupe la connexion pendant la négociation TLS",
        _NETWORK_FR,
    ),
    "handshake-silent": Words(
        "The server, or something before it, falls silent in the handshake",
        f"Try from another network. {_NETWORK}",
        "Le serveur, ou un équipement devant lui, se tait pendant la négociation TLS",
        f"Essayez depuis un autre réseau. {_NETWORK_FR}",
    ),
    "proxy-password": Words(
        "The proxy asks for a password",
        "Set proxy_user and proxy_password_file in [network].",
        "Le proxy demande un mot de passe",
        "Donnez proxy_user et proxy_password_file dans [network].",
    ),
    "proxy-refuses": Words(
        "The proxy opens no tunnel to this host",
        "Ask its administrator to allow CONNECT to this host and port.",
        "Le proxy n'ouvre pas de tunnel vers cet hôte",
        "Demandez à son administrateur d'autoriser CONNECT vers cet hôte et ce port.",
    ),
    # ---- the answer
    "subject-unknown": Words(
        "The token endpoint does not know our certificate's DN for this client_id",
        f"Send the DN (`ror-sante identity dn`) and the client_id to {SUPPORT}; each environment has its own.",
        "Le serveur de jetons ne connaît pas le DN de notre certificat pour ce client_id",
        f"Envoyez le DN (`ror-sante identity dn`) et le client_id à {SUPPORT} ; chaque environnement a son client_id.",
    ),
    "token-refused": Words(
        "Our certificate is accepted, and the token is refused",
        f"Check client_id and token_url; then write to {SUPPORT}.",
        "Notre certificat est accepté, et le jeton est refusé",
        f"Vérifiez client_id et token_url ; puis écrivez à {SUPPORT}.",
    ),
    "api-401": Words(
        "The API refuses the token that the authorization server gave",
        "Check that token_url and api_url are of the same environment, and this machine's clock.",
        "L'API refuse le jeton que le serveur d'autorisation a donné",
        "Vérifiez que token_url et api_url sont du même environnement, et l'horloge de cette machine.",
    ),
    "api-403": Words(
        "The account has no right to this",
        f"Compare profile and role with what ANS gave; then write to {SUPPORT}.",
        "Le compte n'a pas ce droit",
        f"Comparez profile et role avec ce que l'ANS a donné ; puis écrivez à {SUPPORT}.",
    ),
    "rights-hide-fields": Words(
        "The account's rights hide something: the service leaves it out, without an error",
        f"Compare with what your access profile may see; if you need more, ask {SUPPORT} for another profile.",
        "Les droits du compte masquent quelque chose : le service l'omet, sans erreur",
        f"Comparez avec ce que votre profil d'accès peut voir ; s'il vous faut plus, demandez un autre profil à "
        f"{SUPPORT}.",
    ),
    "ror-headers": Words(
        "A Ror-* header is missing, wrong or not wanted",
        "Check profile and role in [rorn]: bare OIDs, and both or none as the access profile asks.",
        "Un en-tête Ror-* manque, est faux ou n'est pas attendu",
        "Vérifiez profile et role dans [rorn] : OID nus, les deux ou aucun selon le profil d'accès.",
    ),
    "api-key": Words(
        "The gateway does not know the API key, or its application is not subscribed",
        "Check annuaire.api_key_file, and the subscription on portal.api.esante.gouv.fr.",
        "La passerelle ne connaît pas la clé d'API, ou son application n'est pas abonnée",
        "Vérifiez annuaire.api_key_file, et l'abonnement sur portal.api.esante.gouv.fr.",
    ),
    "extraction-name": Words(
        "There is no extraction of this name",
        "Check its spelling and its capitals with the documentation of the Annuaire Santé; old names are withdrawn.",
        "Il n'y a pas d'extraction de ce nom",
        "Vérifiez-le, majuscules comprises, dans la documentation de l'Annuaire Santé ; d'anciens noms sont retirés.",
    ),
    "extraction-certificate": Words(
        "This extraction is for holders of a certificate, and none was shown",
        "Add its name to restricted_extractions in [annuaire], with a P12 of the product ORG AUTH_CLI in [identity].",
        "Cette extraction est réservée aux porteurs d'un certificat, et aucun n'a été présenté",
        "Ajoutez son nom à restricted_extractions dans [annuaire], et un P12 du produit ORG AUTH_CLI dans [identity].",
    ),
    "extraction-right": Words(
        "Our certificate has no right to this extraction",
        f"Order it for the service CLIENT_WS_ANNUAIRE; then write to {SUPPORT} with the DN (`ror-sante identity dn`).",
        "Notre certificat n'a pas droit à cette extraction",
        f"Commandez-le pour le service CLIENT_WS_ANNUAIRE ; puis écrivez à {SUPPORT} avec son DN "
        "(`ror-sante identity dn`).",
    ),
    "page-instead": Words(
        "A page or a redirect came in place of an answer: a gateway, a proxy or a captive portal",
        "Open the host in a browser on the same network; then check the address, and try later.",
        "Une page ou une redirection est venue à la place d'une réponse : passerelle, proxy ou portail captif",
        "Ouvrez l'hôte dans un navigateur sur le même réseau ; vérifiez l'adresse, puis réessayez plus tard.",
    ),
    "answer-broken": Words(
        "The answer came broken or cut off",
        "Try again; if it goes on, something on the way cuts answers, or the service is at fault: "
        f"send the id of the request to {SUPPORT}.",
        "La réponse est arrivée abîmée ou coupée",
        "Recommencez ; si cela dure, un équipement coupe les réponses ou le service est en cause : "
        f"envoyez l'identifiant de la requête à {SUPPORT}.",
    ),
    "answer-late": Words(
        "The server took the request and did not answer in time",
        "Try later, ask for less at a time (`_count`), or raise read_timeout in [network].",
        "Le serveur a pris la requête et n'a pas répondu à temps",
        "Réessayez plus tard, demandez moins à la fois (`_count`), ou augmentez read_timeout dans [network].",
    ),
    "service-fault": Words(
        "The service itself fails, or a gateway before it",
        "Try later; https://status.esante.gouv.fr tells of incidents. If it goes on, "
        f"send the id of the request to {SUPPORT}.",
        "Le service lui-même est en panne, ou une passerelle devant lui",
        "Réessayez plus tard ; https://status.esante.gouv.fr signale les incidents. Si cela dure, "
        f"envoyez l'identifiant de la requête à {SUPPORT}.",
    ),
    "too-many-calls": Words(
        "The service refuses more calls for now",
        "Wait as long as it asks, then lower calls_per_second in [network].",
        "Le service refuse d'autres appels pour l'instant",
        "Attendez le temps qu'il demande, puis baissez calls_per_second dans [network].",
    ),
    UNKNOWN: Words(
        "The cause is not known",
        "See each step with `ror-sante smoke-test --receipt`, and send its report.",
        "La cause n'est pas connue",
        "Voyez chaque étape avec `ror-sante smoke-test --receipt`, et envoyez son rapport.",
    ),
}

# What works today and will stop without anybody having changed it; the names in braces are filled in.
_COMPLETE: Final = "Write a P12 that holds the whole chain: `ror-sante identity bundle`."
_COMPLETE_FR: Final = "Écrivez un P12 qui contient toute la chaîne : `ror-sante identity bundle`."
_DROP: Final = "take {host} out of [network] wide_tls12_hosts."
_DROP_FR: Final = "retirez {host} de wide_tls12_hosts dans [network]."

ACCIDENTS: Final[dict[str, Words]] = {
    "chain-from-store": Words(
        "{names} went out with our certificate, and is not in its file: a trust store completed the chain",
        _COMPLETE,
        "{names} est parti avec notre certificat sans être dans son fichier : un magasin de confiance a complété "
        "la chaîne",
        _COMPLETE_FR,
    ),
    "chain-in-store": Words(
        "the file lacks {names}, which stands in {store}: a program that reads that store sends the whole chain here, "
        "and the leaf alone on another machine",
        _COMPLETE,
        "il manque au fichier {names}, qui se trouve dans {store} : un programme qui lit ce magasin envoie ici toute "
        "la chaîne, et la feuille seule sur une autre machine",
        _COMPLETE_FR,
    ),
    "server-needs-lent": Words(
        "{host} does not send {names}: it is trusted only thanks to lend_intermediates",
        f"Tell {SUPPORT}, and take it out of [network] when the server sends it: the day it is issued by another "
        "intermediate, the lent one helps no more.",
        "{host} n'envoie pas {names} : il n'est de confiance que grâce à lend_intermediates",
        f"Prévenez {SUPPORT}, et retirez-le de [network] quand le serveur l'enverra : le jour où un autre "
        "intermédiaire l'aura émis, celui-ci n'aidera plus.",
    ),
    "server-chain-disorder": Words(
        "{host} sends its chain out of order ({names}), which not every client mends",
        f"Tell {SUPPORT}: the order is leaf first, each one's issuer next.",
        "{host} envoie sa chaîne dans le désordre ({names}), ce que tous les clients ne réparent pas",
        f"Prévenez {SUPPORT} : la feuille d'abord, puis l'émetteur de chacun.",
    ),
    "ipv6-black-hole": Words(
        "{host}: {names} did not answer, and {found} did, {seconds} s later",
        _REPAIR,
        "{host} : {names} n'a pas répondu, et {found} a répondu {seconds} s plus tard",
        _REPAIR_FR,
    ),
    "needs-old-suites": Words(
        "it works only because older TLS 1.2 suites are accepted",
        f"Ask the service for TLS 1.3, then {_DROP}",
        "cela ne fonctionne que parce que d'anciennes suites TLS 1.2 sont acceptées",
        f"Demandez TLS 1.3 au service, puis {_DROP_FR}",
    ),
    "old-suites-idle": Words(
        "older TLS 1.2 suites are accepted by the settings",
        f"It chose a modern suite: {_DROP}",
        "d'anciennes suites TLS 1.2 sont acceptées par la configuration",
        f"Il a choisi une suite moderne : {_DROP_FR}",
    ),
    "old-suites-not-needed": Words(
        "older TLS 1.2 suites are accepted by the settings",
        f"It works with modern suites too: {_DROP}",
        "d'anciennes suites TLS 1.2 sont acceptées par la configuration",
        f"Cela fonctionne aussi avec les suites modernes : {_DROP_FR}",
    ),
}


def cause(code: str, confidence: Confidence, evidence: str, *, lang: Lang = "en") -> Cause:
    """Make a cause of the table, in one language."""
    words = CAUSES[code]
    title, step = words[2:] if lang == "fr" else words[:2]
    return Cause(code=code, confidence=confidence, evidence=evidence, title=title, next_step=step)


def accident(code: str, *, lang: Lang = "en", **names: str) -> Finding:
    """Make the warning about what works by accident, in one language.

    Args:
        code: of the table.
        lang: ``en`` or ``fr``.
        names: what the texts name: ``host``, ``names`` of certificates or addresses, ``store`` and so on.
    """
    words = ACCIDENTS[code]
    message, hint = words[2:] if lang == "fr" else words[:2]
    return Finding(code, message.format(**names), hint.format(**names), Severity.WARNING)
