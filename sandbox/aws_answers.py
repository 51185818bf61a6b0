"""What AWS refuses with: its codes, and the body that each service puts them into."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from sandbox.answers import Answer

ROUTE53_XMLNS = "https://route53.amazonaws.com/doc/2013-04-01/"
STS_XMLNS = "https://sts.amazonaws.com/doc/2011-06-15/"
JSON_SERVICES = ("ssm", "secretsmanager", "oidc")

# Code: status and message. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html#API_ChangeResourceRecordSets_Errors
ERRORS = {
    "AccessDenied": (403, "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
    "AccessDeniedException": (400, "User is not authorized to perform this operation."),
    "AuthFailure": (401, "AWS was not able to validate the provided access credentials"),
    "ExpiredToken": (403, "The security token included in the request is expired"),
    "ExpiredTokenException": (400, "The security token included in the request is expired"),
    "IDPCommunicationError": (400, "Couldn't retrieve verification key from your identity provider"),
    "IdempotentParameterMismatch": (
        400,
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
    ),
    "InsufficientInstanceCapacity": (500, "There is not enough capacity to fulfil this request."),
    "InternalError": (500, "An internal error has occurred."),
    "InvalidChangeBatch": (400, "The batch of changes is not valid."),
    "InvalidClientTokenId": (403, "The security token included in the request is invalid."),
    "InvalidIdentityToken": (400, "The web identity token that was passed could not be validated."),
    "InvalidParameterValue": (400, "A parameter has a value that is not valid."),
    "InvalidRequestException": (400, "This operation is not possible now."),
    "InvalidUserData.Malformed": (400, "Invalid BASE64 encoding of user data."),
    "NoSuchChange": (404, "A change with the specified change ID does not exist."),
    "NotImplemented": (501, "This is not in the sandbox."),
    "PriorRequestNotComplete": (400, "The request was rejected because Route 53 was still processing a prior request."),
    "RequestExpired": (400, "Request has expired."),
    "RequestLimitExceeded": (503, "Request limit exceeded."),
    "ServiceUnavailable": (503, "The service is unavailable. Please try again shortly."),
    "Throttling": (400, "Rate exceeded"),
    "ThrottlingException": (400, "Rate exceeded"),
    "TooManyUpdates": (400, "There are concurrent updates for a resource that supports one update at a time."),
    "UnauthorizedOperation": (403, "You are not authorized to perform this operation."),
    "Unavailable": (503, "The server is overloaded and can't handle the request."),
    "UnrecognizedClientException": (400, "The security token included in the request is invalid."),
}


class AwsError(Exception):
    """Ends the handling of a call with one of ERRORS."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.code, self.message = code, message


def error(service: str, code: str, message: str = "") -> Answer:
    """Make the service's own error body.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html#api-error-response
    https://docs.aws.amazon.com/Route53/latest/APIReference/requests-rest-responses.html
    https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html#operation-error-serialization
    """
    status, usual = ERRORS[code]
    if service in JSON_SERVICES:
        return json_answer(status, {"__type": code, "message": message or usual})
    said = f"<Code>{code}</Code><Message>{escape(message or usual)}</Message>"
    if service == "ec2":
        return xml(status, f"<Response><Errors><Error>{said}</Error></Errors><RequestID>sandbox</RequestID></Response>")
    sender = "Sender" if status < 500 else "Receiver"
    inner = f"<Error><Type>{sender}</Type>{said}</Error><RequestId>sandbox</RequestId>"
    xmlns = STS_XMLNS if service == "sts" else ROUTE53_XMLNS
    return xml(status, f'<ErrorResponse xmlns="{xmlns}">{inner}</ErrorResponse>')


def xml(status: int, text: str) -> Answer:
    return Answer(status, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode(), {"Content-Type": "text/xml"})


def json_answer(status: int, data: dict[str, str]) -> Answer:
    return Answer(status, json.dumps(data).encode(), {"Content-Type": "application/x-amz-json-1.1"})
