"""The words of CSTAErrorCode (ECMA-323, 6th edition), each under its category, spelled as in the schema."""

from connector.wire.pcg.ecma323.system import CstaError, ErrorCategory


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPERATION = _words(
    """
    generic atLeastOneConditionalParameterNotProvided featureAlreadySet messageIDRequired
    notDifferentDevices notSameDevice objectNotKnown routeingTimerExpired securityViolation
    """
)
_INVALID = _words(
    """
    MsgID ParameterValue AccountCode AgentGroup AgentIdentifier AgentPassword AgentState AlertTime
    AllocationState AuthCode AutoAnswer BitRate ButtonIdentifier CallType ConnectionRate
    ConsultPurpose CorrelatorData CrossRefID DelayTolerance Destination DestinationDetect
    DoNotDisturb EscapeCrossRefID Feature File FlowDirection ForwardingDestination ForwardingFlag
    ForwardingType HookswitchType HookswitchComponent LampMode LampID MessageWaitingSetting
    MicrophoneGain MicrophoneMute MonitorCrossRefID MonitorFilter MonitorObject MonitorType
    NumberOFChannels ParticipationType RemainRetry RingCount RingPattern RingVolume
    RouteingAlgorithm RouteingCrossRefID RouteRegistrationCrossRefID SpeakerVolume SpeakerMute
    SwitchingSubdomainCharsType ObjectType ActiveCallObject CalledDeviceObjectType
    CallingDeviceObjectType CallToBePickedUpObjectType CallToDivertObjectType CallToParkObjectType
    DestinationDeviceObject HeldCallObject MonitorObjectType ParkToObjectType CallID ActiveCallID
    HeldCallID ConnectionID ActiveConnectionID HeldConnectionID DeviceID ActiveDeviceID
    CalledDeviceID CallingDeviceID CallToParkDeviceID DestinationDeviceID DivertingDeviceID
    HeldDeviceID ParkToDeviceID PickUpDeviceID
    """
)
_NOT_SUPPORTED = _words(
    """
    parameter accountCode agentGroup agentPassword agentState alertTime allocation authorisationCode
    autoAnswer bitRate button callType charactersToSend connectionRate connectionReservation
    consultPurpose correlatorData delayTolerance destinationDetect digitMode errorValue
    flowDirection forwardingDestination lamp monitorType numberOfChannels parameterType priority
    pulseDuration pulseRate remainRetry ringCount routeUsed security swSubdomainCCIEType
    toneDuration sysStatRegID userData service
    """
)
_PRIVILEGE = _words(
    """
    SpecifiedDevice ActiveDevice CalledDevice CallingDevice CallToParkDevice DestinationDevice
    OnDivertingDevice HeldDevice OnParkToDevice PickUpDevice
    """
)
_INCOMPATIBLE = _words(
    """
    Object Connection ActiveConnection HeldConnection Device CalledDevice CallingDevice
    SubjectDevice ActiveDevice CallToParkDevice DestinationDevice DivertingDevice HeldDevice Media
    ParkToDevice PickupDevice
    """
)
_OUT_OF_RANGE = _words(
    """
    value agentState alertTime allocation autoAnswer bitRate callType connectionRate
    connectionReservoation consultPurpose correlatorData delayTolerance destinationDetect digitMode
    doNotDisturb flowDirection forwardingFlag forwardingType hookswitchComponent hookswitchType
    lampMode messageWaitingSetting micGain micMute monitorType numberOfChannels participationType
    pulseDuration pulseRate ringCount ringPattern ringVolumn routeingAlgorithm speakerMute
    speakerVolume switchingCcittType systemStatus toneCharacter toneDuration
    """
)
_OPERATION_WORDS = (
    _OPERATION
    | {f"invalid{word}" for word in _INVALID}
    | {f"{word}NotSupported" for word in _NOT_SUPPORTED}
    | {f"privilegeViolation{word}" for word in _PRIVILEGE}
    | {f"requestIncompatibleWith{word}" for word in _INCOMPATIBLE}
    | {f"{word}OutOfRange" for word in _OUT_OF_RANGE}
)
_STATE_WORDS = _words(
    """
    invalidObjectState invalidDeviceState connectedCallExists invalidActiveDeviceState
    invalidCalledDeviceState invalidCallingDeviceState invalidCallToParkDeviceState
    invalidDestinationDeviceState invalidDivertingDeviceState invalidHeldDeviceState
    invalidParkToDeviceState invalidConnectionState invalidActiveConnectionState
    invalidConnectionIDForActiveCall invalidHeldConnectionState noActiveCall noCallToAnswer
    noCallToClear noCallToComplete noConnectionToClear noHeldCall incorrectMsgState beginningOfMsg
    endOfMsg msgSuspended notAbleToPlay notAbleToResume
    """
)
_RESOURCE_WORDS = _words(
    """
    resourceBusy internalResourceBusy classifierBusy noMediaChannelsAvailable
    channelsInUseForBridgedDevices channelsInUseForData toneDetectorBusy toneGeneratorBusy
    networkBusy resourceOutOfService deviceOutOfService activeDeviceOutOfService
    calledDeviceOutOfService callingDeviceOutOfService callToParkDeviceOutOfService
    destinationDeviceOutOfService divertingDeviceOutOfService heldDeviceOutOfService
    parkToDeviceOutOfService pickupDeviceOutOfService networkOutOfService otherResourceOutOfService
    resourceLimitExceeded overallMonitorLimitExceeded conferenceMemberLimitExceeded
    registrationLimitExceeded conferenceResourceCannotBeSatisfied maxDevicesExceeded
    startTimeOutOfRange durationExceeded
    """
)
# In this order: "generic" stands in several categories, and says least of all in the first.
_WORDS = {
    ErrorCategory.OPERATION: _OPERATION_WORDS,
    ErrorCategory.SECURITY: frozenset(
        {"sequenceNumberViolated", "timeStampViolated", "securityInfoViolated"}
    ),
    ErrorCategory.STATE_INCOMPATIBILITY: _STATE_WORDS,
    ErrorCategory.SYSTEM_RESOURCE_AVAILABILITY: _RESOURCE_WORDS,
    ErrorCategory.SUBSCRIBED_RESOURCE_AVAILABILITY: frozenset(
        {
            "objectMonitorLimitExceeded",
            "trunkLimitExceeded",
            "outstandingReqLimitExceeded",
            "objectRegistrationLimitExceeded",
        }
    ),
    ErrorCategory.PERFORMANCE_MANAGEMENT: frozenset({"performanceLimitExceeded"}),
    ErrorCategory.PRIVATE_DATA: frozenset({"cSTAPrivateDataInfoError"}),
}


def error_of_word(word: str) -> CstaError:
    """The refusal that `word` stands for; empty is `unspecified`, a word of no list a private error."""
    if not word:
        return CstaError(ErrorCategory.UNSPECIFIED)
    for category, words in _WORDS.items():
        if word in words:
            return CstaError(category, word)
    return CstaError(ErrorCategory.PRIVATE_ERROR_CODE, word)
